//! A column of text, in whichever of its forms the engine gives it.

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use super::error::running;
use crate::base::Result;

/// The values of `column` as text.
///
/// # Errors
/// When its type has no text form.
pub fn of(column: &ArrayRef) -> Result<StringArray> {
    let texts = cast(column, &DataType::Utf8).map_err(|error| running(error.into()))?;
    Ok(texts.as_string::<i32>().clone())
}
