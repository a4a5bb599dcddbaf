//! Addresses of electronic mail.

use std::sync::LazyLock;

use regex::Regex;

/// The form that HTML forms accept, with a domain of at least two parts.
static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    Regex::new(&format!(
        r"^[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{label}(?:\.{label})+$"
    ))
    .ok()
});
const LONGEST: usize = 254;
const LONGEST_NAME: usize = 64;

/// The address with its domain in lower case; `None` when it is not one.
pub(super) fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let fits = text.len() <= LONGEST && FORM.as_ref().is_some_and(|form| form.is_match(text));
    let (name, domain) = text.rsplit_once('@').filter(|_| fits)?;
    (name.len() <= LONGEST_NAME).then(|| format!("{name}@{}", domain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn addresses_are_told_from_other_text() {
        assert_eq!(
            read(" Ana.Gil+lab@Clinic.Example ").as_deref(),
            Some("Ana.Gil+lab@clinic.example")
        );
        for text in [
            "ana",
            "ana@",
            "@x.org",
            "a b@x.org",
            "a@x",
            "a..b@x.org",
            "a@-x.org",
            ".a@x.org",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
