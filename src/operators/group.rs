//! The process group of a command: it ends with Galen, however Galen ends.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Waits for the end of its input, which comes with the end of Galen, and kills the group it is in, itself included.
/// What is meant for the command does not end it before.
const WATCH: &str = "trap '' HUP INT QUIT USR1 USR2 TERM; read -r _; kill -9 0";

/// A process group led by a watcher; what is left of it is killed on drop.
///
/// A SIGKILL of Galen runs no line of its code, so a small `sh` waits for it. It knows nothing, and as the group's leader
/// it keeps the group's id from being given to others until the group is killed, and the watcher with it. The command joins
/// before it runs, and the pipe does not close before it has joined: there is no moment at which it is not watched.
pub(super) struct Group {
    id: Pid,
    /// Its standard input is the pipe that closes with this process. Not waited for before the group was killed.
    _watcher: Child,
}

impl Group {
    /// A group with nothing but its watcher in it.
    ///
    /// # Errors
    /// When the watcher cannot be started.
    pub(super) fn new() -> io::Result<Self> {
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let id = id_of(&watcher).ok_or_else(|| io::Error::other("a new process has no id"))?;
        Ok(Self {
            id,
            _watcher: watcher,
        })
    }

    /// Lets `command` join when it starts.
    pub(super) fn enlist(&self, command: &mut Command) {
        command.process_group(self.id.as_raw_nonzero().get());
    }

    /// Sends `signal` to every process of the group, and to `command` where it made itself a group of its own, as
    /// `timeout` does.
    pub(super) fn stop(&self, command: &Child, signal: Signal) {
        self.signal(signal);
        if let Some(own) = id_of(command) {
            // fails unless it did
            let _ = kill_process_group(own, signal);
        }
    }

    fn signal(&self, signal: Signal) {
        // the watcher is in it at least
        let _ = kill_process_group(self.id, signal);
    }
}

/// The id of a process that was not waited for yet.
fn id_of(process: &Child) -> Option<Pid> {
    let id = process.id().and_then(|id| i32::try_from(id).ok())?;
    Pid::from_raw(id)
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::test_kill_process_group;

    use super::*;

    fn started(group: &Group, program: &str, args: &[&str]) -> Child {
        let mut command = Command::new(program);
        group.enlist(&mut command);
        command.kill_on_drop(true);
        command.args(args).spawn().expect("it starts")
    }

    #[tokio::test]
    async fn it_ends_when_galen_does_not_live_to_end_it() {
        let mut group = Group::new().expect("a watcher");
        let mut command = started(&group, "tail", &["-f", "/dev/null"]);
        // of all that belongs to Galen, its death closes the pipe
        drop(group._watcher.stdin.take());
        let watcher = group._watcher.wait().await.expect("its end");
        assert_eq!(watcher.signal(), Some(9));
        let ended = command.wait().await.expect("its end");
        assert_eq!(ended.signal(), Some(9));
    }

    #[tokio::test]
    async fn its_id_is_nobody_elses_until_it_is_killed() {
        let mut group = Group::new().expect("a watcher");
        let mut command = started(&group, "true", &[]);
        command.wait().await.expect("its end");
        test_kill_process_group(group.id).expect("somebody is in it");
        group.signal(Signal::KILL);
        let watcher = group._watcher.wait().await.expect("its end");
        assert_eq!(watcher.signal(), Some(9));
    }

    #[tokio::test]
    async fn the_watcher_knows_nothing() {
        let group = Group::new().expect("a watcher");
        let environment = std::fs::read(format!("/proc/{}/environ", group.id));
        // a system without /proc shows nobody's
        assert_eq!(environment.unwrap_or_default(), b"");
    }
}
