//! Settings: defaults < `galen.toml` < `GALEN_*` environment < flags. One file per section.
//!
//! Belongs here: what an installation decides. Does not belong here: what a DAG decides.

mod engine;
mod lake;
mod limits;
mod load;
mod logs;
mod pools;
mod records;
mod s3;
mod settings;

pub use engine::Engine;
pub use lake::LakeSettings;
pub use limits::Limits;
pub use load::{FILE, HOME_VARIABLE};
pub use logs::Logs;
pub use pools::{DEFAULT_POOL, Pools};
pub use records::RecordsSettings;
pub use s3::S3Settings;
pub use settings::Settings;
