//! Runs the binary as a person does.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a command ended and what it said.
pub struct Said {
    /// Exit code; −1 after a signal.
    pub code: i32,
    /// Data.
    pub out: String,
    /// Everything else.
    pub err: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stream, text) in [("out", &self.out), ("err", &self.err)] {
            for line in text.lines() {
                writeln!(f, "{stream}: {}", line.trim_end())?;
            }
        }
        write!(f, "exit: {}", self.code)
    }
}

/// A command on the installation in `home`, without any setting from this process's environment.
pub fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_galen"));
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("GALEN_"));
    for (name, _) in settings {
        command.env_remove(name);
    }
    command
        .current_dir(home)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs `galen` in `home` to its end.
pub fn galen(home: &Path, args: &[&str]) -> Said {
    said(command(home, args))
}

/// Runs `command` to its end.
pub fn said(mut command: Command) -> Said {
    let output = command.output().expect("galen starts");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
