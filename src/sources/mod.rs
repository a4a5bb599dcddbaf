//! Readers: from a file's bytes to bounded batches of text records with line and hash.
//!
//! Belongs here: what a file or an address holds and how it is cut into records, in bounded memory whatever its
//! size. Does not belong here: what a record means, and where it is kept. Readers are
//! synchronous and run on a blocking thread; only what speaks HTTP is not.

mod csv;
mod csv_scan;
mod delimiter;
mod download;
mod encoding;
mod files;
mod header;
mod http;
mod input;
mod json_array;
mod json_record;
mod locations;
mod names;
mod ndjson;
mod partition;
mod profile;
mod reader;
mod source;

pub use delimiter::Delimiter;
pub use download::{Download, Downloaded, Validators};
pub use encoding::Encoding;
pub use files::{SourceFile, find_files, public_part};
pub use header::{Header, header_map};
pub use http::{http_client, no_answer, retry_after, unexpected_status};
pub use locations::{Locations, check_address};
pub use partition::Partition;
pub use profile::{ColumnProfile, Frequent, Kind, MIN_COUNT, Profile, profile};
pub use reader::{BATCH_BYTES, BATCH_RECORDS, Reader};
pub use source::{Format, Layout, Source};
