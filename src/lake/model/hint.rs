//! The way out of a wrong name.

use crate::base::nearest;

/// The hint that names the nearest of `known`.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, known).map(|name| format!("did you mean `{name}`?"))
}
