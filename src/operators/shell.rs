//! `shell`: a program or a script in a process group of its own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::child::{Ended, Stream, run_child};
use super::{Operator, Outcome, TaskContext, TaskError, TaskLog, Verdict};
use crate::base::{Error, Result};
use crate::dag::{Dag, DagFiles, Flaw};

/// Lines of output that go to the task's log; what follows is counted and left out.
const MAX_LINES: u64 = 10_000;

/// Words that a shell obeys itself and that are no programs.
const SHELL_WORDS: [&str; 16] = [
    ".", ":", "alias", "cd", "eval", "exec", "exit", "export", "read", "set", "source", "trap",
    "ulimit", "umask", "unset", "wait",
];

/// Runs a program or a script. Its output goes to the task's log line by line, its exit code decides: 0 is success, 99
/// (`skip_exit_code`) skips the task, anything else fails the try. Give either `command` or `script`.
///
/// The process starts with Galen's own environment without the `GALEN_…` settings, which may hold a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// The program and its arguments; no shell reads them.
    #[serde(default)]
    #[schemars(extend("x-hint" = "write `script: {}`, which a shell reads, or a program and its arguments as a list, as `[python3, report.py]`"))]
    command: Vec<Word>,
    /// A script for `sh -e`.
    script: Option<String>,
    /// Environment variables: a value, or `{env: NAME}` for a secret from Galen's own environment, masked in the log.
    #[serde(default)]
    env: BTreeMap<String, EnvValue>,
    /// Folder to start in, relative to the home folder; default: the home folder.
    cwd: Option<String>,
    /// `json`: the last line of the standard output is a JSON object that becomes the task's outputs.
    output: Option<OutputFormat>,
    /// The exit code that skips the task.
    #[serde(default = "default_skip_exit_code")]
    skip_exit_code: i32,
}

/// A text, or a number or boolean that a template rendered to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Word {
    Text(String),
    Number(serde_json::Number),
    Boolean(bool),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum EnvValue {
    Plain(Word),
    Secret {
        /// Name of the variable in Galen's own environment.
        env: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutputFormat {
    Json,
}

const fn default_skip_exit_code() -> i32 {
    99
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }
}

#[async_trait]
impl Operator for Shell {
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        self.flaw().into_iter().collect()
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let secrets = Secrets::from_env(&self.env)?;
        let command = self.command(context, &secrets)?;
        let mut output = Output::new(&context.log, &secrets);
        let ended = run_child(command, &context.cancel, |stream, line| {
            output.line(stream, line)
        })
        .await
        .map_err(|error| self.cannot_start(error))?;
        let last = output.end();
        let status = match ended {
            Ended::Stopped => return Err(TaskError::Cancelled),
            Ended::Exited(status) => status,
        };
        match status.code() {
            Some(0) => Ok(Verdict::Done(Outcome {
                outputs: self.outputs(&last)?,
                ..Outcome::default()
            })),
            Some(code) if code == self.skip_exit_code => Ok(Verdict::Skip(format!(
                "the command ended with exit code {code}"
            ))),
            // a failed command may well succeed next time, and only the author can know: `retries` says how often
            _ => Err(TaskError::Retryable(
                Error::new(format!("the command failed with {status}"))
                    .hint("its output is in the task's log"),
            )),
        }
    }
}

impl Shell {
    fn flaw(&self) -> Option<Flaw> {
        match (self.command.is_empty(), &self.script) {
            (false, Some(_)) => Some(
                Flaw::at(
                    "",
                    "both `command` and `script` are given, expected one of them",
                )
                .hint("remove one of the two"),
            ),
            (true, None) => Some(
                Flaw::at("", "neither `command` nor `script` is given")
                    .hint("for example `command: [python3, report.py]`"),
            ),
            _ => None,
        }
    }

    fn command(&self, context: &TaskContext, secrets: &Secrets) -> Result<Command> {
        let mut words = self.command.iter().map(Word::text);
        let mut command = match (&self.script, words.next()) {
            (Some(script), _) => {
                let mut command = Command::new("sh");
                command.args(["-e", "-c", script]);
                command
            }
            (None, Some(program)) => {
                let mut command = Command::new(program);
                command.args(words);
                command
            }
            (None, None) => return Err(Error::new("neither `command` nor `script` is given")),
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GALEN_") {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.env {
            if let EnvValue::Plain(word) = value {
                command.env(name, word.text());
            }
        }
        command.envs(secrets.0.iter().map(|(name, value)| (name, value)));
        command.current_dir(match &self.cwd {
            Some(folder) => context.home.join(folder),
            None => context.home.clone(),
        });
        Ok(command)
    }

    fn cannot_start(&self, error: std::io::Error) -> TaskError {
        use std::io::ErrorKind;
        let program = match self.command.first() {
            Some(word) => word.text(),
            None => "sh".to_owned(),
        };
        let for_a_shell =
            SHELL_WORDS.contains(&program.as_str()) || program.contains(char::is_whitespace);
        let permanent = matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory
        );
        let hint = match error.kind() {
            ErrorKind::NotFound if for_a_shell => {
                "what only a shell understands goes under `script`, or as `[sh, -c, \"exit 3\"]`"
            }
            _ => {
                "is the program installed, executable and on the PATH, and does the folder `cwd` exist?"
            }
        };
        let error = Error::new(format!("the command `{program}` cannot be started"))
            .because(error)
            .hint(hint);
        if permanent {
            TaskError::Permanent(error)
        } else {
            TaskError::Retryable(error)
        }
    }

    fn outputs(&self, last_line: &str) -> Result<Map<String, Value>> {
        if self.output.is_none() {
            return Ok(Map::new());
        }
        serde_json::from_str(last_line).map_err(|_| {
            Error::new("the last line of the standard output is not a JSON object, which `output: json` expects")
                .hint("print one line such as `{\"rows\": 5}` last")
        })
    }
}

/// Values of the `{env: NAME}` entries, by the name the command sees.
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn from_env(env: &BTreeMap<String, EnvValue>) -> Result<Self> {
        let mut secrets = Vec::new();
        for (name, value) in env {
            let EnvValue::Secret { env: source } = value else {
                continue;
            };
            let value = std::env::var(source).map_err(|_| {
                Error::new(format!("environment variable `{source}` is not set")).hint(format!(
                    "set it for the process that runs Galen; `{name}` takes its value"
                ))
            })?;
            secrets.push((name.clone(), value));
        }
        Ok(Self(secrets))
    }

    /// `line` without any secret. A secret of several lines is found line by line.
    fn mask(&self, line: &str) -> String {
        let parts = self.0.iter().flat_map(|(_, value)| value.lines());
        let mut parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        // the longest first, so that one secret inside another does not leave the other's rest behind
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts
            .iter()
            .fold(line.to_owned(), |line, part| line.replace(part, "***"))
    }
}

/// Carries the command's output to the log and keeps the last line of the standard output.
struct Output<'a> {
    log: &'a TaskLog,
    secrets: &'a Secrets,
    lines: u64,
    last: String,
}

impl<'a> Output<'a> {
    fn new(log: &'a TaskLog, secrets: &'a Secrets) -> Self {
        Self {
            log,
            secrets,
            lines: 0,
            last: String::new(),
        }
    }

    fn line(&mut self, stream: Stream, line: &str) {
        let line = self.secrets.mask(line);
        self.lines += 1;
        if self.lines <= MAX_LINES {
            let stream = match stream {
                Stream::Out => "stdout",
                Stream::Err => "stderr",
            };
            self.log.info(&line, json!({ "stream": stream }));
        }
        if stream == Stream::Out && !line.trim().is_empty() {
            self.last = line;
        }
    }

    fn end(self) -> String {
        if let Some(left_out) = self.lines.checked_sub(MAX_LINES).filter(|&lines| lines > 0) {
            self.log
                .warn("further output is left out", json!({ "lines": left_out }));
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(with: Value) -> Shell {
        serde_json::from_value(with).expect("valid parameters")
    }

    #[test]
    fn reads_its_parameters() {
        let shell = shell(json!({
            "command": ["echo", 5, true],
            "env": {"A": "b", "N": 1, "TOKEN": {"env": "SOME_TOKEN"}},
            "cwd": "work", "output": "json"
        }));
        let words: Vec<_> = shell.command.iter().map(Word::text).collect();
        assert_eq!(words, ["echo", "5", "true"]);
        assert_eq!(shell.skip_exit_code, 99);
        assert!(shell.flaw().is_none());
    }

    #[test]
    fn wants_a_command_or_a_script_and_not_both() {
        assert!(shell(json!({})).flaw().is_some());
        let both = shell(json!({"command": ["true"], "script": "true"}));
        assert!(both.flaw().is_some());
        assert!(shell(json!({"script": "true"})).flaw().is_none());
    }

    #[test]
    fn masks_secrets_and_the_longer_one_first() {
        let secrets = Secrets(vec![
            ("A".to_owned(), "pass".to_owned()),
            ("B".to_owned(), "password\nline2".to_owned()),
            ("C".to_owned(), String::new()),
        ]);
        assert_eq!(
            secrets.mask("my password, line2, pass!"),
            "my ***, ***, ***!"
        );
    }

    #[test]
    fn outputs_are_the_last_line_when_asked_for() {
        let asked = shell(json!({"script": "true", "output": "json"}));
        assert_eq!(asked.outputs(r#"{"rows": 5}"#).expect("object")["rows"], 5);
        assert!(asked.outputs("5").is_err());
        let silent = shell(json!({"script": "true"}));
        assert!(silent.outputs("5").expect("not read").is_empty());
    }
}
