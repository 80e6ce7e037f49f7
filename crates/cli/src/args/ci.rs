//! What is for CI: comparing runs with baselines, files for other programs, and stored results.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Judge;

/// Under which help lists these options.
pub(super) const HEADING: &str = "For CI";

/// What a run is compared with, and what CI gets to read.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GateArgs {
    #[command(flatten)]
    pub(crate) expect: ExpectArgs,

    /// Make the baseline equal to this run; reasons and comments stay
    #[arg(long, help_heading = HEADING, requires = "baseline")]
    pub(crate) update_baseline: bool,

    // Backticks, which clippy wants here, would be seen in the help.
    #[arg(long, help_heading = HEADING, value_name = "FILE", help = "Write JUnit XML")]
    pub(crate) junit: Option<PathBuf>,

    /// Write TAP, version 14
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) tap: Option<PathBuf>,

    /// Write a badge, SVG
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) badge: Option<PathBuf>,
}

/// What a run is compared with.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ExpectArgs {
    /// What is expected of each peer, with reasons; reality must equal it
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// What fails the run beside deviations, or `never`; several are separated by commas
    #[arg(long, help_heading = HEADING, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) fail_on: Vec<FailOnName>,
}

/// What `wsproof report` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Render a badge, SVG
    Badge(RenderArgs),
    /// Compare stored results with a baseline; the exit code is that of a run
    Check(CheckArgs),
    /// Render the classic JSON files
    Classic(FolderArgs),
    /// Say what differs between two runs; 1 if anything got worse
    Diff(DiffArgs),
    /// Render the pages
    Html(RenderArgs),
    /// Render one JSON document
    Json(RenderArgs),
    #[command(about = "Render JUnit XML")]
    Junit(RenderArgs),
    /// Render Markdown
    Markdown(RenderArgs),
    /// Make one report of the parts of a run that --partition divided
    Merge(MergeArgs),
    /// Render captures that Wireshark reads, one for each attempt
    Pcapng(FolderArgs),
    /// Render TAP, version 14
    Tap(RenderArgs),
}

/// Stored results, and how they are seen.
#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Files `results.jsonl`, or folders that hold one; of an interrupted run as well
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Judgement that is shown and that decides [default: that of the run]
    #[arg(long, value_name = "WHOSE")]
    pub(crate) judge: Option<Judge>,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) stored: FilesArgs,

    /// Folder for what is rendered [default: wsproof-report for files, stdout for text]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) expect: ExpectArgs,
}

/// For files in which both judgements stand, or none.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// Files `results.jsonl`, or folders that hold one; of an interrupted run as well
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Folder for what is rendered
    #[arg(long, value_name = "DIR", default_value = "wsproof-report")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) stored: FilesArgs,

    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The results of all parts, or folders that hold them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Folder for the report
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Results, or a folder that holds them
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,

    /// Later results, or a folder that holds them
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,

    /// Judgement that is compared [default: that of the later run]
    #[arg(long, value_name = "WHOSE")]
    pub(crate) judge: Option<Judge>,
}

/// What may fail a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOnName {
    /// What the peer must not do; always on
    Deviation,
    /// What is allowed, but not what was hoped for
    NonStrict,
    /// What the peer lacks
    Unimplemented,
    /// What is only worth knowing
    Informational,
    /// What differs from attempt to attempt
    Unstable,
    /// What was selected and has no result
    Missing,
    /// Nothing: the run fails only if it cannot be carried out
    Never,
}
