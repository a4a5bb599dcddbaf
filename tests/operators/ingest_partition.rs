//! `ingest` with a partition: runs share a file by its dates.

use galen::base::Counts;
use serde_json::{Value, json};

use crate::support::{Desk, counts, databases, day};

fn visits() -> Value {
    json!({"source": {"csv": "visits.csv"}, "into": "visits", "partition": {"column": "Day", "format": "%Y%m%d"}})
}

/// Visits on the first five days of January, one with a date that is none, one ragged.
const VISITS: &str =
    "id,day\n1,20260101\n2,20260103\n3,20260102\n4,soon\n5,20260103\n6\n7,20260105\n8,20260101\n";

const ROWS: &str = "SELECT id || ' ' || day FROM visits ORDER BY id";
const QUARANTINE: &str = "SELECT line || ' ' || reasons FROM quarantine ORDER BY line";

async fn run_of(desk: &mut Desk, start: &str, end: &str) -> Counts {
    desk.interval = day(start, end);
    desk.run_id = format!("clinic__backfill__{start}");
    desk.run("ingest", visits()).await.counts
}

#[tokio::test]
async fn each_run_takes_its_days_and_all_of_them_the_file() {
    for test in databases().await {
        let mut desk = Desk::new(test);
        desk.write("visits.csv", VISITS);
        // whoever comes first sets aside what belongs to nobody
        assert_eq!(
            run_of(&mut desk, "2026-01-02", "2026-01-03").await,
            counts([1, 0, 0, 0, 2])
        );
        assert_eq!(desk.texts(ROWS).await, ["3 20260102"]);
        assert_eq!(
            run_of(&mut desk, "2026-01-01", "2026-01-02").await,
            counts([2, 0, 0, 0, 0])
        );
        assert_eq!(
            run_of(&mut desk, "2026-01-04", "2026-01-05").await,
            counts([0; 5])
        );
        assert_eq!(
            run_of(&mut desk, "2026-01-03", "2026-01-04").await,
            counts([2, 0, 0, 0, 0])
        );
        assert_eq!(
            run_of(&mut desk, "2026-01-05", "2026-01-06").await,
            counts([1, 0, 0, 0, 0])
        );
        assert_eq!(
            desk.texts(ROWS).await,
            [
                "1 20260101",
                "2 20260103",
                "3 20260102",
                "5 20260103",
                "7 20260105",
                "8 20260101"
            ]
        );
        assert_eq!(
            desk.texts(QUARANTINE).await,
            ["5 [\"bad_partition_date\"]", "7 [\"ragged\"]"]
        );
    }
}

#[tokio::test]
async fn a_window_that_overlaps_another_takes_only_what_is_left() {
    for test in databases().await {
        let mut desk = Desk::new(test);
        desk.write("visits.csv", VISITS);
        run_of(&mut desk, "2026-01-03", "2026-01-04").await;
        assert_eq!(
            run_of(&mut desk, "2026-01-01", "2026-02-01").await,
            counts([4, 0, 2, 0, 0])
        );
        assert_eq!(
            run_of(&mut desk, "2026-01-05", "2026-01-06").await,
            counts([0, 0, 1, 0, 0])
        );
        assert_eq!(desk.texts(ROWS).await.len(), 6);
        assert_eq!(desk.texts(QUARANTINE).await.len(), 2);
    }
}

#[tokio::test]
async fn a_partition_without_its_column_is_refused() {
    for test in databases().await {
        let desk = Desk::new(test);
        desk.write("visits.csv", "id,days\n1,20260101\n");
        assert_eq!(
            desk.failure("ingest", visits()).await,
            "`visits.csv` has no column `Day`, which the partition names\nhint: did you mean `days`?"
        );
    }
}
