//! What lies between two bounds.

use chrono::NaiveDate;

use crate::base::{Error, Result};

/// Bounds of numbers or of dates, both inclusive; an absent one is no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bounds {
    Numbers(Option<f64>, Option<f64>),
    Dates(Option<NaiveDate>, Option<NaiveDate>),
}

impl Bounds {
    /// Reads `LOW..HIGH`, `LOW..` or `..HIGH`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(format!("`{text}` {what}"))
                .hint("expected bounds as `0..120`, `0..` or `2020-01-01..2029-12-31`")
        };
        let (low, high) = text
            .split_once("..")
            .ok_or_else(|| wrong("has no `..` between its bounds"))?;
        let (low, high) = (low.trim(), high.trim());
        if low.is_empty() && high.is_empty() {
            return Err(wrong("has no bound"));
        }
        fn both<T: std::str::FromStr + PartialOrd>(
            low: &str,
            high: &str,
        ) -> Option<(Option<T>, Option<T>)> {
            let bound = |text: &str| match text {
                "" => Some(None),
                text => text.parse().ok().map(Some),
            };
            Some((bound(low)?, bound(high)?))
        }
        if let Some((low, high)) = both::<f64>(low, high) {
            return match (low, high) {
                (Some(low), Some(high)) if low > high => {
                    Err(wrong("has nothing between its bounds"))
                }
                (low, high) if low.into_iter().chain(high).all(f64::is_finite) => {
                    Ok(Self::Numbers(low, high))
                }
                _ => Err(wrong("has a bound that is no finite number")),
            };
        }
        match both::<NaiveDate>(low, high) {
            Some((Some(low), Some(high))) if low > high => {
                Err(wrong("has nothing between its bounds"))
            }
            Some((low, high)) => Ok(Self::Dates(low, high)),
            None => Err(wrong("has a bound that is neither a number nor a date")),
        }
    }

    /// Whether the number, or the date that `text` begins with, lies between them; other text does not.
    pub fn holds(&self, text: &str) -> bool {
        fn between<T: PartialOrd>(value: Option<T>, low: &Option<T>, high: &Option<T>) -> bool {
            value.is_some_and(|value| {
                low.as_ref().is_none_or(|low| value >= *low)
                    && high.as_ref().is_none_or(|high| value <= *high)
            })
        }
        match self {
            Self::Numbers(low, high) => between(text.trim().parse().ok(), low, high),
            Self::Dates(low, high) => {
                let date = text.get(..10).and_then(|date| date.parse().ok());
                between(date, low, high)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_may_be_absent() {
        for (bounds, text, expected) in [
            ("0..120", "0", true),
            ("0..120", "120.5", false),
            ("0..120", "x", false),
            ("0..120", "nan", false),
            ("..0", "-3", true),
            ("2020-01-01..", "2020-01-01", true),
            ("2020-01-01..", "2019-12-31T23:59:59Z", false),
            ("..2020-01-01", "2020-01-01T23:59:59Z", true),
        ] {
            let holds = Bounds::parse(bounds).expect(bounds).holds(text);
            assert_eq!(holds, expected, "{bounds} {text}");
        }
        for text in ["", "..", "5", "5..1", "a..b", "1..2020-01-01", "nan..1"] {
            assert!(Bounds::parse(text).is_err(), "{text}");
        }
    }
}
