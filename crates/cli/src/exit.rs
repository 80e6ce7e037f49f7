//! Exit codes, and the errors that lead to them.

use std::{fmt, process::ExitCode};

/// How the program ends. The numbers are a contract with whoever runs us in CI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything is as expected.
    AsExpected = 0,
    /// 1: the peer deviates.
    Deviates = 1,
    /// 2: the command line or a file is wrong.
    Usage = 2,
    /// 3: the run could not be carried out.
    NotCarriedOut = 3,
    /// 130: the user interrupted the run; what was judged is in the report.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Something outside of any peer went wrong.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    text: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// The command line or a file is wrong; `text` says where and how to mend it.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into(), source: None }
    }

    /// Something could not be done; `what` fits behind "failed to".
    pub(crate) fn failed(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            exit: Exit::NotCarriedOut,
            text: format!("failed to {}", what.into()),
            source: Some(source.into()),
        }
    }

    /// The user ended it; `text` says what was not done.
    pub(crate) fn interrupted(text: impl Into<String>) -> Self {
        Self { exit: Exit::Interrupted, text: text.into(), source: None }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let mut source: Option<&dyn std::error::Error> = self.source.as_deref().map(|e| e as _);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
