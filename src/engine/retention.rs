//! Logs of tries are kept for `logs.retention_days`, then removed.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use chrono::TimeDelta;

use super::engine::Engine;

/// How often old logs are looked for.
const EVERY: TimeDelta = TimeDelta::days(1);

impl Engine {
    /// Removes old logs, once a day, beside the work. A log that cannot be removed is reported and stays.
    pub(super) fn sweep_logs(&mut self) {
        let now = self.handle.clock.now();
        if self.own.is_some() || self.logs_swept.is_some_and(|last| now - last < EVERY) {
            return;
        }
        self.logs_swept = Some(now);
        let days = i64::from(self.handle.settings.logs.retention_days);
        let logs = self.handle.settings.state_dir().join("logs");
        let Some(before) = TimeDelta::try_days(days).and_then(|age| now.checked_sub_signed(age))
        else {
            return;
        };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = sweep(&logs, before.into()) {
                tracing::warn!(folder = %logs.display(), %error, "cannot remove old logs");
            }
        });
    }
}

/// Removes every file under `folder` that was last written before `before`, and the folders that are empty then.
fn sweep(folder: &Path, before: SystemTime) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            sweep(&entry.path(), before)?;
            if fs::read_dir(entry.path())?.next().is_none() {
                fs::remove_dir(entry.path())?;
            }
        } else if metadata.modified()? < before {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn old_logs_go_and_new_ones_stay() {
        let home = tempfile::tempdir().expect("a folder");
        let (old, new) = (home.path().join("a/run"), home.path().join("b/run"));
        for folder in [&old, &new] {
            fs::create_dir_all(folder).expect("a folder");
            fs::write(folder.join("t.1.jsonl"), "{}\n").expect("a log");
        }
        let written = fs::metadata(new.join("t.1.jsonl"))
            .expect("a log")
            .modified()
            .expect("time");
        let earlier = written - Duration::from_secs(3600);
        let file = fs::File::options()
            .write(true)
            .open(old.join("t.1.jsonl"))
            .expect("a log");
        file.set_modified(earlier).expect("an older time");
        sweep(home.path(), written - Duration::from_secs(60)).expect("swept");
        assert!(!home.path().join("a").exists());
        assert!(new.join("t.1.jsonl").exists());
        sweep(&home.path().join("none"), written).expect("nothing to do");
    }
}
