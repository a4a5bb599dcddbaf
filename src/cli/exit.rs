//! How a command ended, as its exit code says.

use std::process::ExitCode;

use crate::base::Error;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It did what was asked: 0.
    Success,
    /// A run, a check or the machine failed while it was done: 1.
    Failed,
    /// The command, the settings or a definition must be changed first: 2.
    Usage,
}

impl Exit {
    /// How a command ended that gave `error`: a lost connection or a full disk is a failure, all else is for a person to mend.
    pub fn of(error: &Error) -> Self {
        match error.is_transient() {
            true => Self::Failed,
            false => Self::Usage,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}
