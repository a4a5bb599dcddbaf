//! A function that a query gives arguments it does not take.

/// What the engine says of it: names and types only.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Misused {
    /// The function.
    pub function: String,
    /// What it takes, a type or a number of arguments each.
    takes: Vec<String>,
    /// What it is given instead.
    given: Vec<String>,
}

impl Misused {
    /// Reads the engine's text; `None` when it is about something else.
    pub fn read(text: &str) -> Option<Self> {
        let function = ["Function '", "a call to '"]
            .iter()
            .find_map(|before| between(text, before, "'"))
            .or_else(
                || match text.contains("' does not support zero arguments") {
                    true => between(text, "'", "'"),
                    false => None,
                },
            )?;
        let mut misused = Self {
            function: function.to_owned(),
            ..Self::default()
        };
        for said in text.split("Function '").skip(1) {
            let takes = [" requires ", " expects "]
                .iter()
                .find_map(|before| between(said, before, " but received "));
            let given = said.split(" but received ").nth(1).unwrap_or_default();
            let given = given.split(|c: char| !c.is_ascii_alphanumeric()).next();
            for (list, part) in [(&mut misused.takes, takes), (&mut misused.given, given)] {
                let part = part.unwrap_or_default().trim_end_matches(',');
                if !part.is_empty() && !list.iter().any(|known| known == part) {
                    list.push(part.to_owned());
                }
            }
        }
        Some(misused)
    }

    /// What is wrong, and the way out. Of several arguments the engine does not say which is meant, so that what it takes is named only when
    /// it is given one thing.
    pub fn explained(self) -> (String, Option<String>) {
        let function = &self.function;
        let is_count = |takes: &String| takes.ends_with("arguments");
        let hint = match self.takes.iter().any(is_count) {
            true => None,
            false => Some("cast them, as in `CAST(x AS DOUBLE)`".to_owned()),
        };
        let message = match (self.takes.as_slice(), self.given.as_slice()) {
            (takes @ [_, ..], [given]) => {
                let takes = takes.join(" or ");
                format!("function `{function}` takes {takes} and is given {given}")
            }
            _ => format!("function `{function}` does not take these arguments"),
        };
        (message, hint)
    }
}

/// The part of `text` between `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(part, _)| part)
}
