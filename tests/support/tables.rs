//! Tables as somebody else reads them, without Galen.

use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use deltalake::{ensure_table_uri, open_table};

/// The rows of `sql` over the Parquet file at `path`, which it knows as `it`, as lines of CSV; none when there is no file.
pub async fn parquet_rows(path: &Path, sql: &str) -> Vec<String> {
    if !path.exists() {
        return Vec::new();
    }
    let session = SessionContext::new();
    let (path, options) = (path.display().to_string(), ParquetReadOptions::default());
    session
        .register_parquet("it", &path, options)
        .await
        .expect("a Parquet file");
    rows(&session, sql).await
}

/// The rows of `sql` over the Delta table at `path`, which it knows as `it`, as lines of CSV.
pub async fn delta_rows(path: &Path, sql: &str) -> Vec<String> {
    let url = ensure_table_uri(path.display().to_string()).expect("a place");
    let table = open_table(url).await.expect("a Delta table");
    let session = SessionContext::new();
    table
        .update_datafusion_session(&session.state())
        .expect("a session");
    let provider = table.table_provider().await.expect("rows");
    session.register_table("it", provider).expect("a table");
    rows(&session, sql).await
}

async fn rows(session: &SessionContext, sql: &str) -> Vec<String> {
    let frame = session.sql(sql).await.expect(sql);
    let batches = frame.collect().await.expect(sql);
    batches.iter().flat_map(lines).collect()
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let columns: Vec<ArrayFormatter<'_>> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).expect("a text"))
        .collect();
    let line = |row| {
        let cells = columns.iter().map(|column| {
            let text = column.value(row).to_string();
            match text.contains(',') {
                true => format!("\"{text}\""),
                false => text,
            }
        });
        cells.collect::<Vec<String>>().join(",")
    };
    (0..batch.num_rows()).map(line).collect()
}
