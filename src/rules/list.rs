//! Lists written as text: Python lists, NumPy arrays, JSON arrays, separated items.

use serde_json::Value;

use super::spec::ListSyntax;

/// An item of a list: text, null, or a list of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Trimmed text.
    Text(String),
    /// A bare `nan`, `None` or `null`.
    Null,
    /// A nested list.
    List(Vec<Item>),
}

impl Item {
    /// The item as text of a row of its own: nested lists as JSON, null as `None`.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Null => None,
            Self::List(items) => Some(to_json(items)),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Null => Value::Null,
            Self::List(items) => items.iter().map(Self::value).collect(),
        }
    }
}

/// The list as compact JSON text.
pub fn to_json(items: &[Item]) -> String {
    items.iter().map(Item::value).collect::<Value>().to_string()
}

/// Reads a list; `None` when the text is not one.
pub fn parse(text: &str, syntax: ListSyntax, separator: &str) -> Option<Vec<Item>> {
    match syntax {
        ListSyntax::Python => Python { rest: text.trim() }.whole(),
        ListSyntax::Json => match serde_json::from_str(text).ok()? {
            Value::Array(values) => values.into_iter().map(from_json).collect(),
            _ => None,
        },
        ListSyntax::Separated => Some(
            text.split(separator)
                .map(|item| Item::Text(item.trim().to_owned()))
                .collect(),
        ),
    }
}

fn from_json(value: Value) -> Option<Item> {
    Some(match value {
        Value::Null => Item::Null,
        Value::String(text) => Item::Text(text.trim().to_owned()),
        Value::Array(values) => {
            Item::List(values.into_iter().map(from_json).collect::<Option<_>>()?)
        }
        Value::Object(_) => return None,
        number_or_bool => Item::Text(number_or_bool.to_string()),
    })
}

/// A cursor over Python's or NumPy's notation. The two differ in what stands between items: a comma, or blanks alone.
struct Python<'a> {
    rest: &'a str,
}

/// Deepest nesting accepted.
const MAX_DEPTH: usize = 8;

impl Python<'_> {
    fn whole(mut self) -> Option<Vec<Item>> {
        let items = self.list(0)?;
        self.rest.is_empty().then_some(items)
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Item>> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.eat('[')?;
        let mut items = Vec::new();
        let mut commas = None;
        loop {
            let blank = self.skip_blanks();
            if self.eat(']').is_some() {
                return Some(items);
            }
            if !items.is_empty() {
                let comma = self.eat(',').is_some();
                // one list uses commas throughout or nowhere
                if *commas.get_or_insert(comma) != comma || (!comma && !blank) {
                    return None;
                }
                self.skip_blanks();
                if comma && self.eat(']').is_some() {
                    return Some(items); // a trailing comma, as Python allows
                }
            }
            items.push(self.item(depth)?);
        }
    }

    fn item(&mut self, depth: usize) -> Option<Item> {
        match self.rest.chars().next()? {
            '[' => self.list(depth + 1).map(Item::List),
            quote @ ('\'' | '"') => self.quoted(quote),
            _ => self.bare(),
        }
    }

    fn quoted(&mut self, quote: char) -> Option<Item> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.rest = &self.rest[at + 1..];
                return Some(Item::Text(text.trim().to_owned()));
            }
            text.push(match c {
                '\\' => match chars.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                },
                c => c,
            });
        }
        None
    }

    fn bare(&mut self) -> Option<Item> {
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '[' | '\'' | '"'))?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "nan" | "None" => Some(Item::Null),
            number if number.parse::<f64>().is_ok() => Some(Item::Text(number.to_owned())),
            _ => None,
        }
    }

    fn skip_blanks(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let skipped = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        skipped
    }

    fn eat(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(text: &str) -> Option<String> {
        parse(text, ListSyntax::Python, ",").map(|items| to_json(&items))
    }

    #[test]
    fn reads_python_and_numpy() {
        let cases = [
            ("[]", "[]"),
            (
                "['infiltrates', ' pneumonia']",
                r#"["infiltrates","pneumonia"]"#,
            ),
            ("['a' 'b'\n 'c']", r#"["a","b","c"]"#),
            ("['']", r#"[""]"#),
            ("['exclude', '']", r#"["exclude",""]"#),
            ("[nan, 'a']", r#"[null,"a"]"#),
            ("[['a', 'b'], ['c']]", r#"[["a","b"],["c"]]"#),
            (r#"["it's", 'a\'b']"#, r#"["it's","a'b"]"#),
            ("['a', 'b',]", r#"["a","b"]"#),
            ("[1, 2.5]", r#"["1","2.5"]"#),
        ];
        for (text, json) in cases {
            assert_eq!(python(text).as_deref(), Some(json), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "a",
            "['nodule', 'mass",
            "['a'",
            "['a']]",
            "['a' , 'b' 'c']",
            "['a''b']",
            "[,]",
            "['a',,'b']",
            "[word]",
            "{'a'}",
            "[['a']",
        ] {
            assert_eq!(python(text), None, "{text}");
        }
        assert_eq!(python(&"[".repeat(100_000)), None);
    }

    #[test]
    fn splits_and_reads_json() {
        let split = parse("A| B|", ListSyntax::Separated, "|").expect("list");
        assert_eq!(to_json(&split), r#"["A","B",""]"#);
        let json = parse(r#"["a", null, 1]"#, ListSyntax::Json, "").expect("list");
        assert_eq!(to_json(&json), r#"["a",null,"1"]"#);
        assert_eq!(parse("{}", ListSyntax::Json, ""), None);
    }
}
