//! How operators that write Delta tables look after their files.

use super::period::Period;
use crate::lake::Care;

/// As the parameters `optimize` and `vacuum` say.
pub(super) fn care(optimize: bool, vacuum: Option<Period>) -> Care<'static> {
    Care {
        optimize,
        zorder_by: &[],
        vacuum: vacuum.map(|period| period.0),
    }
}
