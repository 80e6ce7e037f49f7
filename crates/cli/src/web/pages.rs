//! The pages as files: no templates, since what differs comes in `/server.json`.

pub(super) const RUN_HTML: &str = include_str!("pages/run.html");
pub(super) const RUN_JS: &str = include_str!("pages/run.js");
pub(super) const CASES_JS: &str = include_str!("pages/cases.js");
pub(super) const TALK_HTML: &str = include_str!("pages/talk.html");
pub(super) const TALK_JS: &str = include_str!("pages/talk.js");
/// What these pages need beyond the style of reports.
pub(super) const STYLE: &str = include_str!("pages/style.css");
/// Where a report will be.
pub(super) const NO_REPORT_HTML: &str = include_str!("pages/no_report.html");
