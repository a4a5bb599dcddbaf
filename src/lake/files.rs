//! How the files of tables are written.

use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use datafusion::parquet::schema::types::ColumnPath;

/// Rows of which a writer keeps all columns in memory until it writes them; each partition of a table has a writer of its own.
const ROWS_IN_A_GROUP: usize = 128 * 1024;

/// Of tables with any columns.
pub(super) fn plain_rows() -> WriterProperties {
    builder().build()
}

/// Of tables of records with their hashes, of which no two are the same: a dictionary of them would be made in vain.
pub(super) fn records_with_hashes() -> WriterProperties {
    let hash = ColumnPath::from("_hash");
    builder().set_column_dictionary_enabled(hash, false).build()
}

fn builder() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROWS_IN_A_GROUP))
}
