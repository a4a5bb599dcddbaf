//! A process that does not outlive its test, however the test ends.

use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

/// A running program; killed on drop.
pub struct Process(Child);

impl Process {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("its state")
    }

    /// Sends it a signal.
    pub fn tell(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("told");
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("its end");
    }

    /// Waits for its end: how it ended, and what it wrote to standard error, where that is a pipe.
    pub fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        if let Some(mut err) = self.0.stderr.take() {
            std::io::Read::read_to_string(&mut err, &mut said).expect("text");
        }
        (self.0.wait().expect("its end"), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
