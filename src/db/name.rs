//! Names of tables, columns and schemas inside SQL text.

/// `name` as a quoted SQL identifier, valid on both databases.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quote_cannot_end_the_name() {
        assert_eq!(super::quote("a\"; drop"), "\"a\"\"; drop\"");
    }
}
