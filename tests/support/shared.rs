//! The shared input beside the crate.

use std::path::{Path, PathBuf};

/// The path of `path` in the shared data, or `None` after saying that the test is skipped.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GALEN_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: `{}` is absent", found.display());
    None
}
