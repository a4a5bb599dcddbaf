//! A process killed while it builds a model: whatever it was at, readers see whole versions, a rerun leaves the same table, and no file
//! is left that no version names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use deltalake::{DeltaTable, ensure_table_uri, open_table};
use futures::TryStreamExt;

use super::house::House;
use crate::cli::galen::{command, galen};
use crate::support::{Process, TestDatabase};

/// What the build is at when it is killed.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Rows are kept aside, or the first file of the table is on its way.
    Began,
    /// A file of the table is on its way.
    Writing,
    /// The rows are committed.
    Committed,
    /// Files with the rows in another order are on their way.
    LayingOut,
    /// They are committed too.
    LaidOut,
}

const CUTS: [Cut; 5] = [
    Cut::Began,
    Cut::Writing,
    Cut::Committed,
    Cut::LayingOut,
    Cut::LaidOut,
];
/// A first build and what follows must be over by then.
const PATIENCE: Duration = Duration::from_secs(240);
const DAG: &str =
    "dag_id: clinic\ntasks: [{task_id: made, operator: models, with: {select: 'gold.made'}}]\n";
const ROWS: usize = 30_000;

/// A home with one model over rows that change.
struct Home {
    house: House,
    /// Columns of the model.
    columns: &'static str,
}

/// The files of a table as they are at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    version: Option<usize>,
    /// All but the log's, those on their way too.
    files: usize,
    aside: bool,
}

impl Home {
    fn new(header: &str, sql: &str, columns: &'static str) -> Self {
        let mut home = Self {
            house: House::new(TestDatabase::sqlite(), ""),
            columns,
        };
        home.write("dag.yaml", DAG);
        home.model("gold/made.sql", &format!("/*\n{header}\n*/\n{sql}"));
        home.deliver(0);
        std::fs::write(home.path("galen.toml"), "[engine]\nlease_ttl = \"1s\"\n").expect("written");
        home.rerun();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.house.test.home().join(name)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path("dags/clinic").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    fn model(&mut self, path: &str, text: &str) {
        self.write(&format!("models/{path}"), text);
        self.house.file(path, text);
    }

    /// The rows as they are after so many deliveries: each brings new ones, and changes a third of the others.
    fn deliver(&mut self, deliveries: usize) {
        let rows = ROWS + deliveries * ROWS / 20;
        let text = format!(
            "-- materialized: view\nSELECT value AS id, concat('kind ', CAST(value % 3 AS VARCHAR)) AS kind, value * 7919 % 100003 AS place,
                CASE WHEN value % 3 = 0 THEN {deliveries} ELSE 1 END AS state FROM generate_series(1, {rows})"
        );
        self.model("silver/rows.sql", &text);
    }

    fn table(&self) -> PathBuf {
        self.path("state/lake/clinic/gold/made")
    }

    fn seen(&self) -> Seen {
        let mut seen = Seen {
            aside: self.path("state/lake/clinic/.aside/gold.made").is_dir(),
            ..Seen::default()
        };
        for name in names(&self.table()) {
            match name.strip_prefix("_delta_log/") {
                None => seen.files += 1,
                Some(name) => {
                    let version = name.strip_suffix(".json").and_then(|n| n.parse().ok());
                    seen.version = seen.version.max(version);
                }
            }
        }
        seen
    }

    fn rerun(&self) {
        let said = galen(self.house.test.home(), &["run", "clinic"]);
        assert_eq!(said.code, 0, "{said}");
    }

    /// What all rows of a table come to.
    async fn sum_of(&self, table: &str) -> String {
        let sql = format!("SELECT {} FROM {table}", self.columns);
        let sql = format!(
            "SELECT count(*), sum(id), sum(place), sum(state), min(kind), max(kind) FROM ({sql})"
        );
        self.house.rows(&sql).await.join("\n")
    }

    /// Starts a run and kills it at `cut`. Whether it was still at work then. Every look at the table meanwhile must show one of `whole`.
    async fn kill(&self, cut: Cut, whole: &[String]) -> bool {
        let before = self.seen();
        let mut command = command(self.house.test.home(), &["run", "clinic"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(command);
        let start = Instant::now();
        let mut committed = None;
        let mut looks = 0;
        while process.ended().is_none() {
            assert!(
                start.elapsed() < PATIENCE,
                "{cut:?}: it does not come to it"
            );
            let now = self.seen();
            let commits = now.version.map_or(0, |v| v + 1) - before.version.map_or(0, |v| v + 1);
            if commits > 0 && committed.is_none() {
                committed = Some(now.files);
            }
            let there = match cut {
                Cut::Began => now.aside || now.files > before.files,
                Cut::Writing => now.files > before.files,
                Cut::Committed => commits > 0,
                Cut::LayingOut => committed.is_some_and(|files| now.files > files),
                Cut::LaidOut => commits > 1,
            };
            if there {
                process.kill();
                break;
            }
            looks += 1;
            if looks % 50 == 0 {
                let sum = self.sum_of("gold.made").await;
                assert!(whole.contains(&sum), "{cut:?}: a mix, {sum} of {whole:?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.ended().is_none_or(|status| !status.success())
    }

    async fn open(&self) -> DeltaTable {
        let url = ensure_table_uri(self.table().display().to_string()).expect("a URL");
        open_table(url).await.expect("a table")
    }

    /// The newest commit of rows was followed by one that lays them out.
    async fn must_be_laid_out(&self, cut: Cut) {
        let table = self.open().await;
        let commits: Vec<_> = table.history(None).try_collect().await.expect("commits");
        let mut names = commits
            .iter()
            .filter_map(|commit| commit.operation.as_deref());
        let newest = names.find(|name| !name.starts_with("VACUUM"));
        assert_eq!(newest, Some("OPTIMIZE"), "{cut:?}");
    }

    /// The folder holds the files of the newest version and no others.
    async fn must_be_clear(&self) {
        let table = self.open().await;
        let url = table.table_url().to_string();
        let of_table = |uri: String| uri.replacen(url.trim_end_matches('/'), "", 1);
        let needed = table.get_file_uris().expect("files").map(of_table);
        let needed: BTreeSet<String> = needed
            .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned())
            .collect();
        let (log, there): (Vec<String>, Vec<String>) = names(&self.table())
            .into_iter()
            .partition(|name| name.starts_with("_delta_log/"));
        let there: BTreeSet<String> = there
            .iter()
            .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(there, needed);
        assert!(!log.iter().any(|name| name.contains('#')), "{log:?}");
    }
}

/// Names of all files in a folder and below.
fn names(folder: &Path) -> Vec<String> {
    // files come and go while one looks
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => {
                let below = names(&entry.path());
                found.extend(below.into_iter().map(|below| format!("{name}/{below}")));
            }
            false => found.push(name),
        }
    }
    found
}

/// Kills builds of a model with this header at every cut, and looks what becomes of its table.
async fn survives(header: &str, sql: &str, columns: &'static str) {
    let mut home = Home::new(header, sql, columns);
    let mut hits = Vec::new();
    for (number, cut) in CUTS.into_iter().enumerate() {
        let before = home.sum_of("gold.made").await;
        home.deliver(number + 1);
        let whole = [before, home.sum_of("silver.rows").await];
        assert_ne!(whole[0], whole[1], "{cut:?}");
        hits.push(home.kill(cut, &whole).await);
        let after = home.sum_of("gold.made").await;
        assert!(
            whole.contains(&after),
            "{cut:?}: a mix, {after} of {whole:?}"
        );
        home.rerun();
        assert_eq!(home.sum_of("gold.made").await, whole[1], "{cut:?}");
        home.must_be_laid_out(cut).await;
    }
    println!("{header}: killed at work {hits:?}");
    assert!(hits.iter().filter(|hit| **hit).count() >= 3, "{hits:?}");

    // what else a process can leave that was killed: a file that is whole and not named yet, and some that are not whole
    for name in [
        "part-lost.parquet",
        "part-lost.parquet#1",
        "_delta_log/00000000000000000099.json#1",
    ] {
        std::fs::write(home.table().join(name), "half").expect("written");
    }
    home.model(
        "gold/made.sql",
        &format!("/*\n{header}\nvacuum: 0s\n*/\n{sql}"),
    );
    home.rerun();
    home.must_be_clear().await;
    assert_eq!(
        home.sum_of("gold.made").await,
        home.sum_of("silver.rows").await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_killed_at_any_moment_is_made_all_the_same() {
    let columns = "id, kind, place, state";
    let sql = format!("SELECT {columns} FROM silver.rows");
    survives("zorder_by: place", &sql, columns).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_added_by_a_killed_build_are_there_once() {
    let columns = "id, kind, place, 0 AS state";
    let sql = format!("SELECT {columns} FROM silver.rows WHERE id > {{{{ since }}}}");
    let header = "materialized: incremental\nunique_key: id\nsince: id\noptimize: true";
    survives(header, &sql, columns).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_merged_by_a_killed_build_are_there_once() {
    let columns = "id, kind, place, state";
    let sql = format!("SELECT {columns} FROM silver.rows");
    let header = "materialized: incremental\nunique_key: id\npartition_by: kind\nzorder_by: place";
    survives(header, &sql, columns).await;
}
