//! A private PostgreSQL cluster: 127.0.0.1 only, a free port, gone when the test process is.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Waits for the end of the test process, however it ends (its standard input closes then), and clears up after it.
const WATCHDOG: &str = r#"
read -r _ || true
"$1/pg_ctl" stop -D "$2/data" -m immediate -w >/dev/null 2>&1
rm -rf "$2"
"#;

/// A running (or, between [`Cluster::stop`] and [`Cluster::start`], stopped) PostgreSQL server.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Cleared up by closing its standard input, which the end of this process does too.
    watchdog: Child,
}

impl Cluster {
    /// The cluster all tests of this process share; `None`, once with a word, when PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::new).as_ref()
    }

    /// A cluster of one's own, to be stopped and started; `None` when PostgreSQL is not installed.
    pub fn new() -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!(
                "skipped on PostgreSQL: neither GALEN_TEST_POSTGRES_URL nor the programs of a server were found"
            );
            return None;
        };
        Some(Self::create(programs).expect("a private PostgreSQL cluster"))
    }

    fn create(programs: PathBuf) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("galen-postgres-")
            .tempdir()?
            .keep();
        if let Some((user, group)) = unprivileged() {
            chown(&folder, Some(user), Some(group))?;
        }
        let watchdog = as_server_user(Command::new("sh").args(["-c", WATCHDOG, "watchdog"]))
            .arg(&programs)
            .arg(&folder)
            .stdin(Stdio::piped())
            .process_group(0) // an interrupt from the keyboard must not reach it first
            .spawn()?;
        let cluster = Self {
            port: TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
            programs,
            folder,
            watchdog,
        };
        cluster.run(
            Command::new(cluster.programs.join("initdb"))
                .args(["--username=galen", "--auth=trust", "--encoding=UTF8"])
                .args(["--locale=C", "--no-sync", "-D"])
                .arg(cluster.folder.join("data")),
        )?;
        cluster.start();
        Ok(cluster)
    }

    /// Starts the server and waits until it answers.
    pub fn start(&self) {
        let fsync = match std::env::var("GALEN_TEST_POSTGRES_FSYNC") {
            Ok(value) => value,
            Err(_) => "on".to_owned(),
        };
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c fsync={fsync}",
            self.port
        );
        self.run(
            self.pg_ctl()
                .args(["start", "-w", "-t", "60", "-o", &options, "-l"])
                .arg(self.folder.join("log")),
        )
        .expect("the private PostgreSQL server starts");
    }

    /// Stops the server at once, as a crash would.
    pub fn stop(&self) {
        self.run(self.pg_ctl().args(["stop", "-w", "-m", "immediate"]))
            .expect("the private PostgreSQL server stops");
    }

    /// The connection string of its database `name`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://galen@127.0.0.1:{}/{name}", self.port)
    }

    fn pg_ctl(&self) -> Command {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.folder.join("data"));
        command
    }

    fn run(&self, command: &mut Command) -> io::Result<()> {
        let status = as_server_user(command)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            return Ok(());
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(io::Error::other(format!("{command:?}: {status}\n{log}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().ok();
    }
}

/// Where `initdb` and `postgres` are: the newest of the usual places, else the PATH.
fn programs() -> Option<PathBuf> {
    let mut installed: Vec<PathBuf> = glob::glob("/usr/lib/postgresql/*/bin")
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    installed.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name);
        version.and_then(|v| v.to_str()?.parse::<u32>().ok())
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path))
        .find(|folder| {
            ["initdb", "postgres", "pg_ctl"]
                .iter()
                .all(|p| folder.join(p).exists())
        })
}

/// PostgreSQL refuses to run as root: then the server is run by `postgres`, else `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

fn as_server_user(command: &mut Command) -> &mut Command {
    match unprivileged() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}
