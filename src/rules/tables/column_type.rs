//! Types of the columns that rules make.

use std::fmt;

/// Type of a column after its cleansing rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text; what every column is that no rule converts.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A finite number of double precision.
    Float,
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant in UTC, to the microsecond.
    Timestamp,
    /// An exact number with this many decimals, of at most [`ColumnType::MOST_DIGITS`] digits. A frame carries it as text, `-1234.50`, so that
    /// no digit is lost.
    Decimal(u8),
}

impl ColumnType {
    /// Digits of a decimal number, those after the point included: as many as warehouses can hold.
    pub const MOST_DIGITS: usize = 38;
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Integer => f.write_str("integer"),
            Self::Float => f.write_str("float"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Decimal(scale) => write!(f, "decimal({scale})"),
        }
    }
}
