//! What names mean while a targets file is compiled.

use std::collections::{BTreeMap, BTreeSet};

/// What names mean at some point of the file.
#[derive(Default, Clone)]
pub(super) struct Scope {
    /// Column → the staged columns it is made from. A staged column is made from itself.
    pub sources: BTreeMap<String, BTreeSet<String>>,
    pub staged: BTreeSet<String>,
    pub lists: BTreeSet<String>,
}

impl Scope {
    /// A column is read; unless some step made it, it comes from staging.
    pub fn read(&mut self, name: &str) -> BTreeSet<String> {
        if !self.sources.contains_key(name) {
            self.staged.insert(name.to_owned());
            self.sources
                .insert(name.to_owned(), BTreeSet::from([name.to_owned()]));
        }
        self.sources[name].clone()
    }

    pub fn read_all(&mut self, names: &[String]) -> BTreeSet<String> {
        names.iter().flat_map(|name| self.read(name)).collect()
    }

    pub fn make(&mut self, name: &str, sources: BTreeSet<String>) {
        self.sources.insert(name.to_owned(), sources);
        self.lists.remove(name);
    }
}
