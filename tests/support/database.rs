//! A database for one test: SQLite always, PostgreSQL when there is one.

use std::sync::atomic::{AtomicU32, Ordering};

use galen::base::Secret;
use galen::config::Settings;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use super::Cluster;

/// A home folder and a database, both empty and for one test alone.
pub struct TestDatabase {
    /// `sqlite` or `postgres`, for messages and snapshots.
    pub name: &'static str,
    home: TempDir,
    postgres: Option<Postgres>,
}

struct Postgres {
    url: String,
    /// Set when the server is not ours: the database is dropped at the end.
    server: Option<(String, String)>,
}

/// One SQLite and, where possible, one PostgreSQL database.
pub async fn databases() -> Vec<TestDatabase> {
    let mut databases = vec![TestDatabase::sqlite()];
    databases.extend(TestDatabase::postgres().await);
    databases
}

impl TestDatabase {
    /// A SQLite database.
    pub fn sqlite() -> Self {
        Self {
            name: "sqlite",
            home: home(),
            postgres: None,
        }
    }

    /// A PostgreSQL database: on the server of `GALEN_TEST_POSTGRES_URL`, else on the private cluster.
    pub async fn postgres() -> Option<Self> {
        if let Ok(server) = std::env::var("GALEN_TEST_POSTGRES_URL") {
            let name = unique();
            administer(&server, &format!("CREATE DATABASE {name}")).await;
            return Some(Self::on_postgres(Postgres {
                url: with_database(&server, &name),
                server: Some((server, name)),
            }));
        }
        Some(Self::on_cluster(Cluster::shared()?).await)
    }

    /// A database on `cluster`.
    pub async fn on_cluster(cluster: &Cluster) -> Self {
        let name = unique();
        administer(&cluster.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        Self::on_postgres(Postgres {
            url: cluster.url(&name),
            server: None,
        })
    }

    fn on_postgres(postgres: Postgres) -> Self {
        Self {
            name: "postgres",
            home: home(),
            postgres: Some(postgres),
        }
    }

    /// Settings that lead to it.
    pub fn settings(&self) -> Settings {
        Settings {
            home: self.home.path().to_owned(),
            database_url: self.url().map(Secret::new),
            ..Settings::default()
        }
    }

    /// Its home folder.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The PostgreSQL connection string, for a process of its own.
    pub fn url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|postgres| postgres.url.as_str())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take().and_then(|postgres| postgres.server) else {
            return;
        };
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(administer(
                &server,
                &format!("DROP DATABASE {name} WITH (FORCE)"),
            ));
        });
        dropping.join().ok();
    }
}

fn home() -> TempDir {
    tempfile::Builder::new()
        .prefix("galen-test-")
        .tempdir()
        .expect("a temporary folder")
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("galen_test_{}_{next}", std::process::id())
}

fn with_database(server: &str, name: &str) -> String {
    let (before, query) = server.split_once('?').unwrap_or((server, ""));
    let authority = before.find("://").map_or(0, |at| at + 3);
    let end = before[authority..]
        .find('/')
        .map_or(before.len(), |at| authority + at);
    format!("{}/{name}?{query}", &before[..end])
}

async fn administer(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("the test server");
    sqlx::query(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .expect(sql);
}
