//! `process` on tables of its own: versions, parents, and what cannot be processed.

use galen::base::{Counts, DagId};
use galen::operators::{TaskError, Verdict};
use galen::records::{QuarantineFilter, Records};
use serde_json::{Value, json};

use crate::support::{TestDatabase, Try, databases};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS wards (ward TEXT PRIMARY KEY, name TEXT);
CREATE TABLE IF NOT EXISTS beds (
    ward TEXT NOT NULL REFERENCES wards (ward),
    number BIGINT NOT NULL,
    state TEXT,
    free BOOLEAN,
    width DOUBLE PRECISION,
    seen_at TIMESTAMPTZ,
    PRIMARY KEY (ward, number)
);
CREATE TABLE IF NOT EXISTS notes (note TEXT PRIMARY KEY, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);";

const WARDS: &str = "targets: [{table: wards, key: {ward: ward}, columns: {name: name}}]";

const BEDS: &str = "
targets:
  - table: beds
    key: {ward: ward, number: number}
    columns: {state: state, free: state = 'free', width: width, seen_at: seen_at}
    version_by: [seen_at]
";

const COTS: &str =
    "targets: [{table: beds, key: {ward: ward, number: number}, columns: {width: width}}]";

/// How a width is read, and how it is once its unit is known.
const WIDTH: &str = "width: width";
const MENDED: &str = "width: \"REPLACE(width, ' m', '')\"";

const NOTES: &str = "targets: [{table: notes, key: {note: note}, columns: {created_at: written}}]";

const TRANSFERS: &str = "
targets:
  - {table: wards, key: {ward: origin}, columns: {name: \"'left'\"}}
  - {table: wards, key: {ward: destination}, columns: {name: \"'entered'\"}}
";

struct Hospital(TestDatabase);

impl Hospital {
    async fn attempt(&self, operator: &str, with: Value) -> Result<Verdict, TaskError> {
        let files = [
            ("tables.sql", TABLES),
            ("wards.yaml", WARDS),
            ("beds.yaml", BEDS),
            ("notes.yaml", NOTES),
            ("cots.yaml", COTS),
            ("cots_mended.yaml", &COTS.replace(WIDTH, MENDED)),
            ("beds_mended.yaml", &BEDS.replace(WIDTH, MENDED)),
            ("transfers.yaml", TRANSFERS),
        ];
        Try {
            database: &self.0,
            files: &files,
            operator,
            with,
        }
        .run()
        .await
    }

    async fn run(&self, operator: &str, with: Value) -> Counts {
        match self.attempt(operator, with).await {
            Ok(Verdict::Done(outcome)) => outcome.counts,
            other => panic!("{other:?}"),
        }
    }

    /// Stages `text` as a file of its own.
    async fn stage(&self, into: &str, text: &str) {
        let name = format!("{}.csv", galen::base::sha256(text));
        std::fs::write(self.0.home().join(&name), text).expect("a file");
        let into = format!("raw_{into}");
        self.run("ingest", json!({"source": {"csv": name}, "into": into}))
            .await;
    }

    async fn process(&self, from: &str) -> Counts {
        let with = json!({"from": format!("raw_{from}"), "targets": format!("{from}.yaml"), "batch_size": 2});
        self.run("process", with).await
    }

    fn records(&self) -> Records {
        let records = Records::open(&self.0.settings(), &DagId::new("sample")).expect("records");
        records.with_tables(TABLES)
    }

    async fn export(&self, table: &str) -> String {
        let mut out = Vec::new();
        self.records()
            .export(table, false, &mut out)
            .await
            .expect("exported");
        String::from_utf8(out).expect("text")
    }
}

async fn hospitals() -> Vec<Hospital> {
    databases().await.into_iter().map(Hospital).collect()
}

const HEADER: &str = "ward,number,state,width,seen_at\n";

#[tokio::test]
async fn the_newest_version_stays_in_whatever_order_versions_come() {
    let rows = [
        "A,1,free,0.1,2026-01-01T00:00:00Z",
        "A,1,taken,0.30000000000000004,2026-01-03T00:00:00.5+01:00",
        "A,1,cleaned,2,2026-01-02T00:00:00Z",
        "A,2,,,",
    ];
    for turn in 0..rows.len() {
        for hospital in hospitals().await {
            let mut rows = rows;
            rows.rotate_left(turn);
            hospital.stage("wards", "ward,name\nA,\"\"\n").await;
            hospital.process("wards").await;
            for row in rows {
                hospital.stage("beds", &format!("{HEADER}{row}\n")).await;
                hospital.process("beds").await;
            }
            assert_eq!(
                hospital.export("beds").await,
                "ward,number,state,free,width,seen_at\n\
                 A,1,taken,false,0.30000000000000004,2026-01-02T23:00:00.500000Z\n\
                 A,2,,,,\n",
                "{} {turn}",
                hospital.0.name
            );
            assert_eq!(hospital.export("wards").await, "ward,name\nA,\"\"\n");
        }
    }
}

/// Puts everything in quarantine back and processes `from` by `targets`.
async fn replay(hospital: &Hospital, from: &str, targets: &str) {
    let all = QuarantineFilter::default();
    let replayed = hospital.records().replay(&all).await.expect("replayed");
    assert_eq!(replayed.waiting, 1);
    let with = json!({"from": from, "targets": targets});
    hospital.run("process", with).await;
    let open = hospital.records().quarantined(&all, 10).await;
    assert_eq!(open.expect("a list"), []);
}

#[tokio::test]
async fn a_record_that_was_set_aside_never_replaces_what_was_delivered_after_it() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        for (day, width) in [(1, "1"), (2, "2 m"), (3, "1")] {
            let cots = format!("ward,number,width,day\nA,1,{width},{day}\n");
            hospital.stage("cots", &cots).await;
            hospital.process("cots").await;
        }
        // the unit was the mistake, and the rule is mended
        replay(&hospital, "raw_cots", "cots_mended.yaml").await;
        let beds = hospital.export("beds").await;
        assert!(beds.ends_with("\nA,1,,,1,\n"), "{beds}");
    }
}

#[tokio::test]
async fn nor_what_came_after_it_by_another_way() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        for width in ["2 m", "1"] {
            let cots = format!("ward,number,width\nA,1,{width}\n");
            hospital.stage("cots", &cots).await;
            hospital.process("cots").await;
        }
        let cribs = "ward,number,width\nA,1,1\n";
        hospital.stage("cribs", cribs).await;
        let with = json!({"from": "raw_cribs", "targets": "cots.yaml"});
        assert_eq!(hospital.run("process", with).await.updated, 0);
        replay(&hospital, "raw_cots", "cots_mended.yaml").await;
        let beds = hospital.export("beds").await;
        assert!(beds.ends_with("\nA,1,,,1,\n"), "{beds}");
    }
}

#[tokio::test]
async fn of_equal_versions_what_was_delivered_later_stays() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        for width in ["2 m", "1"] {
            let beds = format!("{HEADER}A,1,free,{width},2026-01-01T00:00:00Z\n");
            hospital.stage("beds", &beds).await;
            hospital.process("beds").await;
        }
        replay(&hospital, "raw_beds", "beds_mended.yaml").await;
        let beds = hospital.export("beds").await;
        assert!(beds.contains("\nA,1,free,true,1,"), "{beds}");
    }
}

#[tokio::test]
async fn a_target_may_be_given_versions_and_lose_them_again() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        let targets = ["cots.yaml", "beds.yaml", "cots.yaml"];
        for (day, targets) in (1..).zip(targets) {
            let row = format!("A,1,free,{day},2026-01-0{day}T00:00:00Z");
            hospital.stage("beds", &format!("{HEADER}{row}\n")).await;
            let with = json!({"from": "raw_beds", "targets": targets});
            hospital.run("process", with).await;
            let beds = hospital.export("beds").await;
            assert!(beds.contains(&format!(",{day},")), "{targets}: {beds}");
        }
    }
}

#[tokio::test]
async fn records_put_back_by_hand_change_nothing_in_any_part() {
    for hospital in hospitals().await {
        for name in ["North", "South", "North", "East"] {
            let wards = format!("ward,name\nA,{name}\n");
            hospital.stage("wards", &format!("{wards}B,{name}\n")).await;
            hospital.process("wards").await;
        }
        let audited = hospital.export("audit_log").await;
        for part in ["_row_id = 3", "_row_id < 6", "_row_id > 0"] {
            let again = format!("UPDATE raw_wards SET _processed = FALSE WHERE {part}");
            let mut tx = hospital.records().begin().await.expect("a transaction");
            let conn = tx.conn().expect("open");
            conn.run_script(&again).await.expect("put back");
            tx.commit().await.expect("committed");
            hospital.process("wards").await;
            assert!(hospital.export("audit_log").await == audited, "{part}");
        }
    }
}

#[tokio::test]
async fn a_row_without_its_parent_waits_in_quarantine() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        let beds = format!("{HEADER}A,1,free,1,\nB,1,free,1,\nA,x,free,1,\n,3,free,1,\n");
        hospital.stage("beds", &beds).await;
        hospital.process("beds").await;
        let open = hospital
            .records()
            .quarantined(&QuarantineFilter::default(), 10)
            .await;
        let found: Vec<String> = open
            .expect("a list")
            .into_iter()
            .map(|r| format!("{} {}", r.reasons, r.detail))
            .collect();
        assert_eq!(
            found,
            [
                r#"["missing_parent"] `beds.ward`: a row of `wards`"#,
                r#"["bad_number"] `beds.number`: a whole number"#,
                r#"["missing_key"] `beds.ward`: a value"#
            ]
        );

        hospital.stage("wards", "ward,name\nB,South\n").await;
        hospital.process("wards").await;
        let orphans = QuarantineFilter {
            reason: Some("missing_parent".to_owned()),
            ..QuarantineFilter::default()
        };
        let replayed = hospital.records().replay(&orphans).await.expect("replayed");
        assert_eq!(replayed.waiting, 1);
        hospital.process("beds").await;
        let open = hospital
            .records()
            .quarantined(&QuarantineFilter::default(), 10)
            .await;
        assert_eq!(open.expect("a list").len(), 2);
        assert!(hospital.export("beds").await.contains("\nB,1,free,"));
    }
}

#[tokio::test]
async fn a_time_of_creation_that_a_target_gives_follows_its_source() {
    for hospital in hospitals().await {
        for day in ["2026-01-01", "2026-01-02"] {
            let notes = format!("note,written\nn,{day}T08:00:00Z\n");
            hospital.stage("notes", &notes).await;
            hospital.process("notes").await;
            let mut out = Vec::new();
            let exported = hospital.records().export("notes", true, &mut out).await;
            exported.expect("exported");
            let out = String::from_utf8(out).expect("text");
            assert!(out.contains(&format!("\nn,{day}T08:00:00")), "{out}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_audit_holds_while_a_load_writes() {
    for hospital in hospitals().await {
        let rows: String = (0..600).map(|n| format!("w{n},North\n")).collect();
        hospital.stage("wards", &format!("ward,name\n{rows}")).await;
        let records = hospital.records();
        let with = json!({"from": "raw_wards", "targets": "wards.yaml", "batch_size": 1});
        let load = hospital.run("process", with);
        let check = async {
            let mut seen = 0;
            while seen < 600 {
                let report = records.verify_audit(&[]).await.expect("it holds");
                seen = report.batches;
            }
        };
        futures::join!(load, check);
    }
}

#[tokio::test]
async fn tables_are_listed_with_their_layers() {
    for hospital in hospitals().await {
        hospital.stage("wards", "ward,name\nA,North\n").await;
        hospital.process("wards").await;
        let tables = hospital.records().tables().await.expect("tables");
        let lines: Vec<String> = tables
            .iter()
            .map(|t| format!("{} {} {} {}", t.table, t.layer, t.rows, t.key))
            .collect();
        assert_eq!(
            lines,
            [
                "raw_wards staging 1 _row_id",
                "beds op 0 ward,number",
                "notes op 0 note",
                "wards op 1 ward",
                "audit_log op 1 id",
                "quarantine quarantine 0 id"
            ]
        );
    }
}

#[tokio::test]
async fn what_cannot_be_processed_says_what_to_do() {
    for hospital in hospitals().await {
        let with = json!({"from": "beds", "targets": "beds.yaml"});
        let message = |result: Result<Verdict, TaskError>| match result {
            Err(TaskError::Permanent(error)) => format!("{error:?}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            message(hospital.attempt("process", with.clone()).await),
            "staging table `beds` does not exist\nhint: an `ingest` task before this one makes it; compare its `into` with `from`"
        );
        hospital
            .stage("beds", "ward,nummber,state,width,seen_at\nA,1,,,\n")
            .await;
        let with = json!({"from": "raw_beds", "targets": "beds.yaml"});
        assert_eq!(
            message(hospital.attempt("process", with).await),
            "column `number` is not in staging table `raw_beds`\nhint: did you mean `nummber`?"
        );
    }
}

#[tokio::test]
async fn two_targets_may_write_one_table() {
    for batch_size in [1, 2, 3] {
        for hospital in hospitals().await {
            hospital
                .stage("transfers", "origin,destination\na,b\nb,c\nc,a\n")
                .await;
            let with = json!({"from": "raw_transfers", "targets": "transfers.yaml", "batch_size": batch_size});
            hospital.run("process", with).await;
            let wards = "ward,name\na,entered\nb,left\nc,left\n";
            let name = hospital.0.name;
            assert_eq!(hospital.export("wards").await, wards, "{name} {batch_size}");
        }
    }
}
