//! One value on its way through the steps of its column.

use std::collections::HashMap;

use chrono::NaiveDateTime;

use super::cast::canonical;
use super::cleansing::Cleanse;
use super::column_type::ColumnType;
use super::compatibility::Compatibility;
use super::dates::{Evidence, Read};
use super::email;
use super::money::Amount;
use super::phone::last_ten_digits;
use crate::base::Cell;

/// What a step did to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It is still there, perhaps changed.
    Kept,
    /// It is null.
    Null,
    /// It does not fit.
    Failed(Why),
}

/// Why a value does not fit, or that a quality rule said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Rule,
    BadDate,
    AmbiguousDate,
    BadNumber,
    BadBoolean,
    BadMoney,
    AmbiguousMoney,
    BadPhone,
    BadEmail,
}

impl Why {
    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rule => "failed",
            Self::BadDate => "bad_date",
            Self::AmbiguousDate => "ambiguous_date",
            Self::BadNumber => "bad_number",
            Self::BadBoolean => "bad_boolean",
            Self::BadMoney => "bad_money",
            Self::AmbiguousMoney => "ambiguous_money",
            Self::BadPhone => "bad_phone",
            Self::BadEmail => "bad_email",
        }
    }
}

impl Cleanse {
    /// Whether a value can fail it.
    pub fn can_fail(&self) -> bool {
        !self.is_textual()
    }

    /// Whether it works on text as such, and so has no meaning once a column has another type.
    pub fn is_textual(&self) -> bool {
        matches!(
            self,
            Self::Trim
                | Self::Upper
                | Self::Lower
                | Self::InitCap
                | Self::Nullify(_)
                | Self::RemoveSpecial
                | Self::Replace(..)
                | Self::Map(_)
        )
    }

    /// The type of the column after it, when it makes one.
    pub fn makes(&self) -> Option<ColumnType> {
        let of = |has_time| match has_time {
            true => ColumnType::Timestamp,
            false => ColumnType::Date,
        };
        match self {
            Self::Date(pattern) => Some(of(pattern.has_time())),
            Self::Dates(formats) => Some(of(formats.has_time())),
            Self::Cast(to) => Some(*to),
            Self::Money(money) => Some(ColumnType::Decimal(money.scale)),
            _ => None,
        }
    }

    /// Applies it to `text`. `group` and `evidence` are those of a value that can be read in several ways.
    pub fn apply(
        &self,
        text: &mut String,
        compatibility: Compatibility,
        group: &str,
        evidence: &Evidence,
    ) -> Done {
        match self {
            Self::Trim => trim(text, compatibility),
            Self::Upper => match text.is_ascii() {
                true => text.make_ascii_uppercase(),
                false => *text = text.to_uppercase(),
            },
            Self::Lower => match text.is_ascii() {
                true => text.make_ascii_lowercase(),
                false => *text = text.to_lowercase(),
            },
            Self::InitCap => *text = initcap(text),
            Self::Nullify(words) => {
                if text.is_empty() || words.contains(text) {
                    return Done::Null;
                }
            }
            Self::RemoveSpecial => remove_special(text, compatibility),
            Self::Replace(pattern, by) => {
                if pattern.is_match(text) {
                    *text = pattern.replace_all(text, by.as_str()).into_owned();
                }
            }
            Self::Map(words) => {
                if let Some(word) = words.get(text.as_str()) {
                    text.clone_from(word);
                }
            }
            Self::Date(pattern) => {
                let read = match compatibility {
                    Compatibility::Corrected => pattern.read(text.trim()),
                    Compatibility::Source => pattern.read(text),
                };
                return match read {
                    Some(time) => put_time(text, time, pattern.has_time()),
                    None => Done::Failed(Why::BadDate),
                };
            }
            Self::Dates(formats) => {
                return match formats.read(text.trim(), group, evidence) {
                    Read::Time(time) => put_time(text, time, formats.has_time()),
                    Read::Bad => Done::Failed(Why::BadDate),
                    Read::Ambiguous => Done::Failed(Why::AmbiguousDate),
                };
            }
            Self::Cast(to) => return put(text, canonical(text, *to), why(*to)),
            Self::Money(money) => match money.read(text) {
                Amount::Text(amount) => *text = amount,
                Amount::Bad => return Done::Failed(Why::BadMoney),
                Amount::Ambiguous => return Done::Failed(Why::AmbiguousMoney),
            },
            Self::Phone(phone) => return put(text, phone.read(text), Why::BadPhone),
            Self::Email => return put(text, email::read(text), Why::BadEmail),
        }
        Done::Kept
    }
}

const fn why(to: ColumnType) -> Why {
    match to {
        ColumnType::Date | ColumnType::Timestamp => Why::BadDate,
        ColumnType::Boolean => Why::BadBoolean,
        _ => Why::BadNumber,
    }
}

fn put(text: &mut String, value: Option<String>, why: Why) -> Done {
    match value {
        Some(value) => {
            *text = value;
            Done::Kept
        }
        None => Done::Failed(why),
    }
}

fn put_time(text: &mut String, time: NaiveDateTime, has_time: bool) -> Done {
    *text = match has_time {
        true => Cell::Timestamp(time.and_utc()).to_string(),
        false => time.date().to_string(),
    };
    Done::Kept
}

/// The original pipeline takes blanks off and leaves tabs and line ends where they are.
fn trim(text: &mut String, compatibility: Compatibility) {
    let is_blank = |c: char| match compatibility {
        Compatibility::Corrected => c.is_whitespace(),
        Compatibility::Source => c == ' ',
    };
    text.truncate(text.trim_end_matches(is_blank).len());
    let start = text.len() - text.trim_start_matches(is_blank).len();
    text.drain(..start);
}

/// The original pipeline takes letters with accents for special characters.
fn remove_special(text: &mut String, compatibility: Compatibility) {
    text.retain(|c| match compatibility {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || c == '\u{b}',
        Compatibility::Corrected => c.is_alphanumeric() || c.is_whitespace() || is_mark(c),
        Compatibility::Source => false,
    });
}

/// Combining marks: an accent that stands as a character of its own after its letter.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// The first letter after each blank in upper case, all others in lower case.
fn initcap(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut first = true;
    for c in text.chars() {
        match first {
            true => result.extend(c.to_uppercase()),
            false => result.extend(c.to_lowercase()),
        }
        first = c == ' ';
    }
    result
}

/// The standardization of a column: what `ref_data.csv` says about it.
#[derive(Debug, Default)]
pub(super) struct Standards {
    pub phone: bool,
    pub values: HashMap<String, String>,
    pub negative: Option<String>,
}

impl Standards {
    /// Applies it to `text`: a value that is listed wins over the sort it belongs to.
    pub fn apply(&self, text: &mut String, compatibility: Compatibility) {
        if self.phone {
            *text = last_ten_digits(text, compatibility);
            return;
        }
        let is_negative = |text: &str| text.trim().parse().is_ok_and(|number: f64| number < 0.0);
        let standard = self.values.get(text.as_str()).or_else(|| {
            let negative = self.negative.as_ref()?;
            is_negative(text).then_some(negative)
        });
        if let Some(standard) = standard {
            text.clone_from(standard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::date_pattern::DatePattern;
    use super::super::dates::DateFormats;
    use super::super::money::Money;
    use super::super::phone::Phone;
    use super::*;

    fn applied(what: &Cleanse, text: &str, compatibility: Compatibility) -> String {
        let mut value = text.to_owned();
        match what.apply(&mut value, compatibility, "", &Evidence::default()) {
            Done::Kept => value,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn text_is_cleansed() {
        let corrected = |what: &Cleanse, text: &str| applied(what, text, Compatibility::Corrected);
        let source = |what: &Cleanse, text: &str| applied(what, text, Compatibility::Source);
        assert_eq!(corrected(&Cleanse::Trim, " \ta b\u{a0} "), "a b");
        assert_eq!(source(&Cleanse::Trim, " \ta b "), "\ta b");
        assert_eq!(corrected(&Cleanse::Upper, "niño"), "NIÑO");
        assert_eq!(
            corrected(&Cleanse::InitCap, "iNTERNAL mEDICINE-x"),
            "Internal Medicine-x"
        );
        assert_eq!(
            corrected(&Cleanse::RemoveSpecial, "Núñez-Gil, 2º\u{301}"),
            "NúñezGil 2º\u{301}"
        );
        assert_eq!(source(&Cleanse::RemoveSpecial, "Núñez-Gil, 2º"), "NezGil 2");
        assert_eq!(corrected(&Cleanse::Nullify(Vec::new()), ""), "Null");
        assert_eq!(
            corrected(&Cleanse::Nullify(vec!["-".to_owned()]), "-"),
            "Null"
        );
        assert_eq!(corrected(&Cleanse::Nullify(Vec::new()), " "), " ");
        assert_eq!(corrected(&Cleanse::Email, "x"), "Failed(BadEmail)");
    }

    #[test]
    fn values_are_standardized() {
        let standards = Standards {
            values: HashMap::from([("-1".to_owned(), "none".to_owned())]),
            negative: Some("0".to_owned()),
            phone: false,
        };
        for (text, expected) in [("-1", "none"), ("-2.5", "0"), ("3", "3"), ("-x", "-x")] {
            let mut value = text.to_owned();
            standards.apply(&mut value, Compatibility::Corrected);
            assert_eq!(value, expected);
        }
    }

    /// Every kind that takes any text, with something it can do.
    fn kinds() -> Vec<Cleanse> {
        let regex = regex::Regex::new("[0-9]+").expect("regex");
        let formats = "dd/MM/yyyy|MM/dd/yyyy|d MMM yy";
        let pattern = "EEE, dd MMMM yyyy hh:mm:ss.SSS a XXX";
        vec![
            Cleanse::Trim,
            Cleanse::Upper,
            Cleanse::Lower,
            Cleanse::InitCap,
            Cleanse::RemoveSpecial,
            Cleanse::Email,
            Cleanse::Replace(regex, "$0$0".to_owned()),
            Cleanse::Date(DatePattern::parse(pattern).expect("pattern")),
            Cleanse::Dates(DateFormats::parse(formats).expect("formats")),
            Cleanse::Money(Money::parse("EUR").expect("money")),
            Cleanse::Money(Money::parse("USD;decimal=,;scale=0").expect("money")),
            Cleanse::Phone(Phone::parse("ES").expect("phone")),
            Cleanse::Phone(Phone::parse("US").expect("phone")),
            Cleanse::Cast(ColumnType::Integer),
            Cleanse::Cast(ColumnType::Float),
            Cleanse::Cast(ColumnType::Decimal(3)),
            Cleanse::Cast(ColumnType::Date),
            Cleanse::Cast(ColumnType::Timestamp),
        ]
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much(
            text in proptest::prop_oneof![
                proptest::prelude::any::<String>(),
                "[0-9+() .,x€$'/:;-]{0,24}",
                "[ -~]{0,24}",
            ],
        ) {
            for compatibility in [Compatibility::Corrected, Compatibility::Source] {
                for kind in kinds() {
                    let mut value = text.clone();
                    let done = kind.apply(&mut value, compatibility, "", &Evidence::default());
                    // what a conversion makes, it makes of it again
                    let converts = matches!(
                        kind,
                        Cleanse::Cast(_) | Cleanse::Money(_) | Cleanse::Phone(_) | Cleanse::Email
                    );
                    if converts && done == Done::Kept {
                        let once = value.clone();
                        let done = kind.apply(&mut value, compatibility, "", &Evidence::default());
                        proptest::prop_assert_eq!((done, value), (Done::Kept, once), "{:?}", kind);
                    }
                }
                Standards { phone: true, ..Standards::default() }.apply(&mut text.clone(), compatibility);
            }
        }
    }
}
