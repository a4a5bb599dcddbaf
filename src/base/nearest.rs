//! The nearest known name to a misspelt one, for hints.

/// The name among `known` that `given` was probably meant to be, if any is near enough.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase());
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= 1 + given.len().max(name.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_a_typo_and_refuses_a_stranger() {
        let known = ["depends_on", "operator", "retries"];
        assert_eq!(nearest("depend_on", known), Some("depends_on"));
        assert_eq!(nearest("Operator", known), Some("operator"));
        assert_eq!(nearest("zebra", known), None);
    }
}
