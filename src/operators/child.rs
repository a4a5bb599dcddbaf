//! A child process with its process group: output line by line, and an end that reaches every descendant.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::group::Group;

/// How long a stopped group may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long to read on from a pipe that something outside the group keeps open.
const DRAIN: Duration = Duration::from_secs(1);

/// Bytes of a line that are kept; the rest of a longer one is dropped.
const MAX_LINE: usize = 16 * 1024;

/// Which of the child's outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a child process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, or by a signal that was not ours.
    Exited(ExitStatus),
    /// Because `cancel` fired.
    Stopped,
}

/// Runs `command` to its end in a process group of its own and hands each line of its output to `on_line`.
///
/// When `cancel` fires the whole group gets SIGTERM, and SIGKILL five seconds later. What the command left running in
/// its group is killed when it ends, when this future is dropped, and when Galen itself is killed.
///
/// # Errors
/// When the process cannot be started or waited for.
pub async fn run_child(
    mut command: Command,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(Stream, &str),
) -> std::io::Result<Ended> {
    let group = Group::new()?;
    group.enlist(&mut command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut out = Lines::new(child.stdout.take());
    let mut err = Lines::new(child.stderr.take());
    let mut kill_at = None;
    let status = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled(), if kill_at.is_none() => {
                group.stop(&child, Signal::TERM);
                kill_at = Some(Instant::now() + GRACE);
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                group.stop(&child, Signal::KILL);
                kill_at = Some(Instant::now() + GRACE);
            }
            status = child.wait() => break status?,
            more = out.read(), if out.open => out.emit(more, |line| on_line(Stream::Out, line)),
            more = err.read(), if err.open => err.emit(more, |line| on_line(Stream::Err, line)),
        }
    };
    drop(group);
    // the rest is in the pipes already; only a process that left the group can keep them open
    let _ = timeout(DRAIN, async {
        while out.open || err.open {
            tokio::select! {
                more = out.read(), if out.open => out.emit(more, |line| on_line(Stream::Out, line)),
                more = err.read(), if err.open => err.emit(more, |line| on_line(Stream::Err, line)),
            }
        }
    })
    .await;
    Ok(match kill_at {
        Some(_) => Ended::Stopped,
        None => Ended::Exited(status),
    })
}

/// Text lines of one pipe, each of at most [`MAX_LINE`] bytes.
struct Lines<R> {
    pipe: Option<BufReader<R>>,
    line: Vec<u8>,
    open: bool,
}

/// What one read of a pipe added to the current line.
enum More {
    Line,
    Part,
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(pipe: Option<R>) -> Self {
        Self {
            open: pipe.is_some(),
            pipe: pipe.map(BufReader::new),
            line: Vec::new(),
        }
    }

    /// Takes what is ready, to the end of the line at most. Loses nothing when it is dropped half-way.
    async fn read(&mut self) -> More {
        let Some(pipe) = &mut self.pipe else {
            return More::End;
        };
        let Ok(ready) = pipe.fill_buf().await else {
            return More::End;
        };
        if ready.is_empty() {
            return More::End;
        }
        let newline = ready.iter().position(|&byte| byte == b'\n');
        let part = &ready[..newline.unwrap_or(ready.len())];
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        let taken = part.len() + usize::from(newline.is_some());
        pipe.consume(taken);
        match newline {
            Some(_) => More::Line,
            None => More::Part,
        }
    }

    fn emit(&mut self, more: More, mut on_line: impl FnMut(&str)) {
        let complete = match more {
            More::Part => return,
            More::Line => true,
            More::End => {
                self.open = false;
                !self.line.is_empty()
            }
        };
        if complete {
            on_line(String::from_utf8_lossy(&self.line).trim_end_matches('\r'));
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, cancel: &CancellationToken) -> (Ended, Vec<(Stream, String)>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut lines = Vec::new();
        let ended = run_child(command, cancel, |stream, line| {
            lines.push((stream, line.to_owned()));
            if line == "ready" {
                cancel.cancel();
            }
        })
        .await
        .expect("sh starts");
        (ended, lines)
    }

    #[tokio::test]
    async fn hands_over_both_outputs_to_the_last_line() {
        let cancel = CancellationToken::new();
        let (ended, lines) = run("echo a; echo b >&2; printf last; exit 3", &cancel).await;
        let Ended::Exited(status) = ended else {
            panic!("not stopped");
        };
        assert_eq!(status.code(), Some(3));
        let of = |wanted| {
            let lines = lines.iter().filter(move |(stream, _)| *stream == wanted);
            lines.map(|(_, line)| line.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Stream::Out), ["a", "last"]);
        assert_eq!(of(Stream::Err), ["b"]);
    }

    #[tokio::test]
    async fn a_stop_reaches_the_grandchildren() {
        let cancel = CancellationToken::new();
        let script = "sh -c 'echo $$; echo ready; exec tail -f /dev/null' & wait";
        let (ended, lines) = run(script, &cancel).await;
        assert_eq!(ended, Ended::Stopped);
        assert!(gone(&lines[0].1).await);
    }

    #[tokio::test]
    async fn a_stop_reaches_a_command_that_leads_a_group_of_its_own() {
        let cancel = CancellationToken::new();
        let script = "echo $$; echo ready; exec tail -f /dev/null";
        let mut command = Command::new("timeout");
        command.args(["1000", "sh", "-c", script]);
        let mut id = String::new();
        let ended = run_child(command, &cancel, |_, line| match line {
            "ready" => cancel.cancel(),
            other => id = other.to_owned(),
        });
        assert_eq!(ended.await.expect("timeout starts"), Ended::Stopped);
        assert!(gone(&id).await);
    }

    #[tokio::test]
    async fn nothing_is_left_running_behind_a_command_that_ended() {
        let cancel = CancellationToken::new();
        let (ended, lines) = run("tail -f /dev/null & echo $!", &cancel).await;
        assert!(matches!(ended, Ended::Exited(status) if status.success()));
        assert!(gone(&lines[0].1).await);
    }

    #[tokio::test]
    async fn a_line_without_an_end_does_not_fill_the_memory() {
        let cancel = CancellationToken::new();
        let script = "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo next";
        let (_, lines) = run(script, &cancel).await;
        assert_eq!(lines[0].1.len(), MAX_LINE);
        assert_eq!(lines[1].1, "next");
    }

    /// Whether the process ends; a killed one may be a zombie until its new parent has seen it.
    async fn gone(id: &str) -> bool {
        for _ in 0..1_000 {
            let status = std::fs::read_to_string(format!("/proc/{id}/stat"));
            match status {
                Err(_) => return true,
                Ok(text) if text.contains(") Z ") => return true,
                Ok(_) => tokio::task::yield_now().await,
            }
            std::thread::yield_now();
        }
        false
    }
}
