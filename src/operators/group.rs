//! The process group of a command: it ends with Galen, however Galen ends.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Waits for the end of its input, which comes with the end of Galen, and kills the group it is in, itself included.
/// What is meant for the command does not end it before.
const WATCH: &str = "trap '' HUP INT QUIT USR1 USR2 TERM; read -r _; kill -9 0";

/// A process group with a watcher in it; what is left of it is killed on drop.
///
/// A SIGKILL of Galen runs no line of its code, so a small `sh` waits for it. It knows nothing but its group, and as a
/// member of it keeps the group's id from being given to others, until the group is killed and the watcher with it.
pub(super) struct Group {
    id: Pid,
    /// Its standard input is the pipe that closes with this process. Not waited for before the group was killed.
    _watcher: Child,
}

impl Group {
    /// The group led by `leader`, which was not waited for yet.
    ///
    /// # Errors
    /// When the watcher cannot be started.
    pub(super) fn led_by(leader: &Child) -> io::Result<Self> {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        let id = id
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the command was waited for already"))?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(id.as_raw_nonzero().get())
            .spawn()?;
        Ok(Self {
            id,
            _watcher: watcher,
        })
    }

    /// Sends `signal` to every process of the group.
    pub(super) fn signal(&self, signal: Signal) {
        // the watcher is in it at least
        let _ = kill_process_group(self.id, signal);
    }
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

    fn lasting() -> Child {
        Command::new("tail")
            .args(["-f", "/dev/null"])
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("tail starts")
    }

    #[tokio::test]
    async fn it_ends_when_galen_does_not_live_to_end_it() {
        let mut leader = lasting();
        let mut group = Group::led_by(&leader).expect("a watcher");
        // of all that belongs to Galen, its death closes the pipe
        drop(group._watcher.stdin.take());
        let ended = leader.wait().await.expect("its end");
        assert_eq!(ended.signal(), Some(9));
        let watcher = group._watcher.wait().await.expect("its end");
        assert_eq!(watcher.signal(), Some(9));
    }

    #[tokio::test]
    async fn its_id_is_nobody_elses_until_it_is_killed() {
        let mut leader = Command::new("true")
            .process_group(0)
            .spawn()
            .expect("true starts");
        let mut group = Group::led_by(&leader).expect("a watcher");
        leader.wait().await.expect("its end");
        test_kill_process_group(group.id).expect("somebody is in it");
        group.signal(Signal::TERM);
        group.signal(Signal::KILL);
        let watcher = group._watcher.wait().await.expect("its end");
        assert_eq!(watcher.signal(), Some(9));
    }

    #[tokio::test]
    async fn the_watcher_knows_nothing() {
        let leader = lasting();
        let group = Group::led_by(&leader).expect("a watcher");
        let id = group._watcher.id().expect("at work");
        let environment = std::fs::read(format!("/proc/{id}/environ"));
        // a system without /proc shows nobody's
        assert_eq!(environment.unwrap_or_default(), b"");
    }
}
