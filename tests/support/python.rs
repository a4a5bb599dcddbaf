//! A Python with a module that a test needs.

use std::process::{Command, Stdio};

/// The interpreter, `GALEN_TEST_PYTHON` or `python3`, when it has `module`; else `None` after saying that the test is skipped.
pub fn python_with(module: &str) -> Option<String> {
    let python = std::env::var("GALEN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: `{python}` with the module `{module}` is absent");
    None
}
