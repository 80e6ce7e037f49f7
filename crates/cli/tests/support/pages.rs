//! A report of echo servers with defects, and a browser to look at it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wsproof_testee::Defect;

use crate::{
    browser::Browser,
    support::{Server, echo, serve, with_defect, wsproof},
};

/// The report of a run against echo servers with a defect each.
pub(crate) fn report(dir: &Path, cases: &str, defects: &[Option<Defect>]) -> PathBuf {
    let servers: Vec<_> = defects
        .iter()
        .map(|defect| match defect {
            Some(defect) => with_defect(*defect),
            None => serve(|stream, _| echo(stream)),
        })
        .collect();
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let mut args = vec!["test", "--cases", cases, "--out", "out", "--seed", "7"];
    args.extend(urls.iter().map(String::as_str));
    let output = wsproof(dir, &args);
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    dir.join("out/index.html")
}

/// Evaluates expressions in the page, each with its value.
pub(crate) fn check(browser: &mut Browser, expected: &[(&str, Value)]) {
    for (expression, value) in expected {
        assert_eq!(browser.eval(expression), *value, "{expression}");
    }
}

/// The parts stand in this order.
pub(crate) fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("{part} is not in its place:\n{rest}"))..];
    }
}
