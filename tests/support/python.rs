//! Other people's software as a witness, by way of Python.

use std::path::PathBuf;
use std::process::Command;

/// A Python that has what a test needs.
pub struct Python(PathBuf);

/// The Python of `GALEN_TEST_PYTHON`, else `python3`, if it has `module`; or `None` after saying that something is skipped.
pub fn python_with(module: &str) -> Option<Python> {
    let python =
        std::env::var_os("GALEN_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let has = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output();
    match has {
        Ok(output) if output.status.success() => Some(Python(python)),
        _ => {
            eprintln!(
                "skipped: `{}` has no `{module}`; GALEN_TEST_PYTHON names one that has",
                python.display()
            );
            None
        }
    }
}

impl Python {
    /// A command that starts it.
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Runs a program with arguments, which must succeed: what it prints.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self
            .command()
            .args(["-c", program])
            .args(args)
            .output()
            .expect("python starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
        String::from_utf8(output.stdout).expect("text")
    }
}
