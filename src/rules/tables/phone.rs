//! Telephone numbers: to E.164 with their extension, and to the last ten digits as the original pipeline wanted them.

use std::sync::LazyLock;

use phonenumber::country::Id;
use phonenumber::{Mode, PhoneNumber};
use regex::Regex;

use super::compatibility::Compatibility;
use crate::base::{Error, Result};

/// An extension at the end of a number.
static EXTENSION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[\s,;]*(?:x|ext\.?|extn\.?|extension|#)[\s.:=]*([0-9]{1,7})\s*$").ok()
});

/// The country whose numbers are written without a country code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phone(Id);

impl Phone {
    /// Reads the two letters of a country.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| {
            Error::new(format!(
                "`{text}` is not a country, expected its two letters"
            ))
            .hint("the country of numbers without a country code, as `phone:ES`")
        })
    }

    /// The number as E.164, with `;ext=` and the extension if there is one; `None` when no such number can exist.
    pub fn read(self, text: &str) -> Option<String> {
        let (number, extension) = split(text.trim());
        let number = self.number(number)?;
        let mut e164 = number.format().mode(Mode::E164).to_string();
        // the formatter may add what the parser took for an extension
        if let Some(end) = e164.find(|c: char| c != '+' && !c.is_ascii_digit()) {
            e164.truncate(end);
        }
        if let Some(extension) = extension {
            e164.push_str(";ext=");
            e164.push_str(extension);
        }
        Some(e164)
    }

    fn number(self, text: &str) -> Option<PhoneNumber> {
        let valid = |text: &str| {
            let number = phonenumber::parse(Some(self.0), text).ok()?;
            phonenumber::is_valid(&number).then_some(number)
        };
        // 00 is how most of the world dials abroad, also where the number's own country does not
        let abroad = || valid(&format!("+{}", text.strip_prefix("00")?));
        valid(text).or_else(abroad)
    }
}

/// The last ten digits. `Source` counts the digits of an extension among them, and so gives the number of nobody.
pub(super) fn last_ten_digits(text: &str, compatibility: Compatibility) -> String {
    let number = match compatibility {
        Compatibility::Corrected => split(text).0,
        Compatibility::Source => text,
    };
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(10)..].to_owned()
}

/// The number and its extension.
fn split(text: &str) -> (&str, Option<&str>) {
    let captures = EXTENSION.as_ref().and_then(|regex| regex.captures(text));
    match captures.and_then(|found| Some((found.get(0)?, found.get(1)?))) {
        Some((whole, digits)) => (&text[..whole.start()], Some(digits.as_str())),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_e164_with_their_extension() {
        let us = Phone::parse("US").expect("country");
        let spain = Phone::parse("ES").expect("country");
        for (phone, text, expected) in [
            (us, "206-241-2659", Some("+12062412659")),
            (us, "(206)241-2659x853", Some("+12062412659;ext=853")),
            (us, "206.241.2659 ext. 12", Some("+12062412659;ext=12")),
            (us, "001-206-241-2659x0853", Some("+12062412659;ext=0853")),
            (us, "+1-206-241-2659", Some("+12062412659")),
            (us, "+34 912 345 678", Some("+34912345678")),
            (us, "0034912345678", Some("+34912345678")),
            (spain, "912 345 678", Some("+34912345678")),
            (us, "123", None),
            (us, "206-241", None),
            (us, "call me", None),
            (us, "", None),
        ] {
            assert_eq!(phone.read(text).as_deref(), expected, "{text}");
        }
        assert!(Phone::parse("Spain").is_err());
    }

    #[test]
    fn an_extension_is_not_part_of_the_number() {
        let text = "735-714-3217x8537";
        assert_eq!(
            last_ten_digits(text, Compatibility::Corrected),
            "7357143217"
        );
        assert_eq!(last_ten_digits(text, Compatibility::Source), "1432178537");
        assert_eq!(last_ten_digits("12", Compatibility::Corrected), "12");
    }
}
