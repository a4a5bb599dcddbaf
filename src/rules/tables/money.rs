//! Amounts of money as people write them, `$1,234.50` or `1.234,50 €`, to exact decimal text.

use super::cast::decimal_text;
use crate::base::{Error, Result};

/// Symbols and the currencies they may stand for.
const SYMBOLS: [(&str, &[&str]); 8] = [
    ("US$", &["USD"]),
    (
        "$",
        &[
            "USD", "CAD", "AUD", "NZD", "MXN", "ARS", "CLP", "COP", "SGD", "HKD",
        ],
    ),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("¥", &["JPY", "CNY"]),
    ("₹", &["INR"]),
    ("R$", &["BRL"]),
    ("Fr.", &["CHF"]),
];
const HINT: &str = "as `money:EUR`, `money:EUR;decimal=,` or `money:JPY;scale=0`";
const MOST_DECIMALS: u8 = 9;

/// How amounts of a column are read.
#[derive(Debug, Clone)]
pub(super) struct Money {
    currency: String,
    /// The sign before the decimals; `None`: told from each amount.
    decimal: Option<char>,
    /// Decimals of the result.
    pub scale: u8,
}

/// What an amount says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// This, as canonical text.
    Text(String),
    /// Nothing, or another currency, or more decimals than there may be.
    Bad,
    /// `1,234` or `1.234`, where nothing says whether that is more than a thousand.
    Ambiguous,
}

impl Money {
    /// Reads `CURRENCY`, with `;decimal=.`, `;decimal=,` and `;scale=N` or without.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split(';').map(str::trim);
        let currency = parts.next().unwrap_or_default();
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::new(format!(
                "`{currency}` is not a currency, expected its three letters"
            ))
            .hint(HINT));
        }
        let mut money = Self {
            currency: currency.to_owned(),
            decimal: None,
            scale: 2,
        };
        for option in parts {
            match option.split_once('=') {
                Some(("decimal", ".")) => money.decimal = Some('.'),
                Some(("decimal", ",")) => money.decimal = Some(','),
                Some(("scale", number)) => {
                    let scale = number.parse().ok().filter(|n| *n <= MOST_DECIMALS);
                    money.scale = scale.ok_or_else(|| {
                        let expected = format!("`scale={number}`, expected 0 to {MOST_DECIMALS}");
                        Error::new(expected).hint(HINT)
                    })?;
                }
                _ => return Err(Error::new(format!("unknown option `{option}`")).hint(HINT)),
            }
        }
        Ok(money)
    }

    /// What `text` says. Parentheses or a minus, before or after, mean less than nothing.
    pub fn read(&self, text: &str) -> Amount {
        let mut text = text.trim();
        let mut negative = false;
        if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            (text, negative) = (inner.trim(), true);
        }
        // sign and currency may come in either order, on either side
        for _ in 0..2 {
            let without = text
                .strip_prefix(['-', '−'])
                .or_else(|| text.strip_suffix('-'));
            if let Some(without) = without {
                if negative {
                    return Amount::Bad;
                }
                (text, negative) = (without.trim(), true);
            } else if let Some(without) = text.strip_prefix('+') {
                text = without.trim();
            }
            match self.without_currency(text) {
                Some(without) => text = without,
                None => return Amount::Bad,
            }
        }
        self.number(text, negative)
    }

    /// `text` without this currency; `None` when it has another one.
    fn without_currency<'a>(&self, text: &'a str) -> Option<&'a str> {
        let strip = |word: &str| {
            text.strip_prefix(word)
                .or_else(|| text.strip_suffix(word))
                .map(str::trim)
        };
        if let Some(without) = strip(&self.currency) {
            return Some(without);
        }
        for (symbol, currencies) in SYMBOLS {
            if currencies.contains(&self.currency.as_str())
                && let Some(without) = strip(symbol)
            {
                return Some(without);
            }
        }
        let may_begin = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '−' | '+');
        let is_number = text.starts_with(may_begin) && text.ends_with(may_begin);
        is_number.then_some(text)
    }

    fn number(&self, text: &str, negative: bool) -> Amount {
        let decimal = match self.decimal.or_else(|| decimal_sign(text)) {
            Some(sign) => sign,
            None if text.contains(['.', ',']) => return Amount::Ambiguous,
            None => '.',
        };
        let (whole, decimals) = text.split_once(decimal).unwrap_or((text, ""));
        let Some(whole) = ungrouped(whole, decimal) else {
            return Amount::Bad;
        };
        match decimal_text(negative, &whole, decimals, usize::from(self.scale)) {
            Some(amount) => Amount::Text(amount),
            None => Amount::Bad,
        }
    }
}

/// The sign before the decimals when the text alone shows it.
fn decimal_sign(text: &str) -> Option<char> {
    let last = text.rfind(['.', ','])?;
    let sign = char::from(text.as_bytes()[last]);
    let other = if sign == '.' { ',' } else { '.' };
    if text.contains(other) {
        return Some(sign);
    }
    if text.matches(sign).count() > 1 {
        return Some(other);
    }
    // one sign: three digits after it may be thousands, unless a group cannot stand before it
    let before = &text[..last];
    let may_group = text.len() - last == 4 && (1..=3).contains(&before.len()) && before != "0";
    (!may_group).then_some(sign)
}

/// Digits without the signs between thousands; `None` when they do not stand between thousands.
fn ungrouped(text: &str, decimal: char) -> Option<String> {
    let group = if decimal == '.' { ',' } else { '.' };
    let is_group = |c: char| c == group || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'');
    let mut parts = text.split(is_group);
    let first = parts.next().unwrap_or_default();
    let mut digits = first.to_owned();
    for part in parts {
        if part.len() != 3 || first.is_empty() || first.len() > 3 {
            return None;
        }
        digits.push_str(part);
    }
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: &str, text: &str) -> String {
        match Money::parse(rule).expect(rule).read(text) {
            Amount::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (rule, text, expected) in [
            ("USD", "$1,234.50", "1234.50"),
            ("USD", "USD 1,234,567", "1234567.00"),
            ("USD", "-$5", "-5.00"),
            ("USD", "$-5.5", "-5.50"),
            ("USD", "($12.00)", "-12.00"),
            ("USD", "12.00-", "-12.00"),
            ("USD", "0.125", "Bad"),
            ("USD", "-0", "0.00"),
            ("USD", ".5", "0.50"),
            ("USD", "007.1", "7.10"),
            ("USD", "1234.000", "1234.00"),
            ("USD", "1,234", "Ambiguous"),
            ("USD", "1.234", "Ambiguous"),
            ("USD", "1234.5", "1234.50"),
            ("USD", "€5", "Bad"),
            ("USD", "5 EUR", "Bad"),
            ("USD", "12,34.50", "Bad"),
            ("USD", "1,2345", "Bad"),
            ("USD", "1.2.3,4", "Bad"),
            ("USD", "--5", "Bad"),
            ("USD", "(-5)", "Bad"),
            ("USD", "", "Bad"),
            ("USD", "$", "Bad"),
            ("USD", "free", "Bad"),
            ("EUR", "1.234,50 €", "1234.50"),
            ("EUR", "1 234,5€", "1234.50"),
            ("EUR;decimal=,", "1.234", "1234.00"),
            ("EUR;decimal=.", "1.234", "Bad"),
            ("EUR;decimal=.;scale=3", "1.234", "1.234"),
            ("JPY;scale=0", "¥1,234,567", "1234567"),
        ] {
            assert_eq!(read(rule, text), expected, "{rule} {text}");
        }
    }

    #[test]
    fn mistakes_are_errors() {
        for text in [
            "",
            "euro",
            "eur",
            "EUR;scale=x",
            "EUR;scale=10",
            "EUR;round=2",
            "EUR;decimal=;",
        ] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
    }
}
