//! The YAML header of a model: the first comment of its file.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::base::{Problem, parse_duration};

/// How the rows of a model are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Materialized {
    /// Written anew by every build, atomically.
    #[default]
    Table,
    /// Not kept: computed whenever it is read.
    View,
    /// Merged into what is there, by `unique_key`.
    Incremental,
    /// The history of every key: a row for each version.
    Scd2,
}

/// What the header of a model says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// How the rows are kept.
    pub materialized: Materialized,
    /// Columns that name a row.
    #[serde(deserialize_with = "one_or_many")]
    pub unique_key: Vec<String>,
    /// Columns by whose values files are kept apart.
    #[serde(deserialize_with = "one_or_many")]
    pub partition_by: Vec<String>,
    /// Columns by which rows are laid out in files.
    #[serde(deserialize_with = "one_or_many")]
    pub zorder_by: Vec<String>,
    /// Whether small files are put together after a build.
    pub optimize: bool,
    /// Files that no version younger than this needs are deleted after a build.
    #[serde(deserialize_with = "duration")]
    pub vacuum: Option<Duration>,
    /// For choosing models.
    #[serde(deserialize_with = "one_or_many")]
    pub tags: Vec<String>,
    /// Whether it may end without rows.
    pub allow_empty: bool,
    /// Whether its joins are meant to lose rows of their driving table.
    pub drops: bool,
    /// The column whose highest value so far is `{{ since }}`.
    pub since: Option<String>,
    /// How far before that `{{ since }}` lies.
    #[serde(deserialize_with = "duration")]
    pub lookback: Option<Duration>,
    /// The column that says from when on a version of an `scd2` row holds; the end of the run's data interval when absent.
    pub valid_from: Option<String>,
}

impl Header {
    /// The header of `text`, the file at `path`.
    pub fn read(path: &str, text: &str) -> Result<Self, Problem> {
        let Some((yaml, line)) = first_comment(text) else {
            return Ok(Self::default());
        };
        // a remark that is not a list of keys is a remark
        if !yaml.lines().any(|line| line.contains(':')) {
            return Ok(Self::default());
        }
        let header: Self = serde_saphyr::from_str(&yaml).map_err(|error| {
            let at = error.location().map_or(1, |at| at.line());
            Problem {
                file: path.to_owned(),
                line: line + u32::try_from(at).unwrap_or(1).max(1) - 1,
                column: 0,
                message: format!("header: {}", error.without_snippet()),
                hint: Some(HINT.to_owned()),
            }
        })?;
        match header.flaw() {
            None => Ok(header),
            Some((message, hint)) => Err(Problem {
                file: path.to_owned(),
                line,
                column: 0,
                message: message.to_owned(),
                hint: Some(hint.to_owned()),
            }),
        }
    }

    /// Whether files are laid out anew after rows were written.
    pub(in crate::lake) fn lays_out(&self) -> bool {
        self.optimize || !self.zorder_by.is_empty()
    }

    fn flaw(&self) -> Option<(&'static str, &'static str)> {
        let merges = matches!(
            self.materialized,
            Materialized::Incremental | Materialized::Scd2
        );
        if merges && self.unique_key.is_empty() {
            return Some((
                "an `incremental` or `scd2` model has no `unique_key`",
                "name the columns that tell one row from another, as `unique_key: id`",
            ));
        }
        let kept_files = !self.partition_by.is_empty() || !self.zorder_by.is_empty();
        if self.materialized == Materialized::View
            && (kept_files || self.optimize || self.vacuum.is_some())
        {
            return Some((
                "a view keeps no files, yet the header says how to lay them out",
                "remove `partition_by`, `zorder_by`, `optimize` and `vacuum`, or materialize it as `table`",
            ));
        }
        if self.since.is_some() && self.materialized != Materialized::Incremental {
            return Some((
                "`since` is for incremental models",
                "write `materialized: incremental`, or remove it",
            ));
        }
        if self.lookback.is_some() && self.since.is_none() {
            return Some((
                "`lookback` without `since`",
                "name the column that grows, as `since: updated_at`",
            ));
        }
        if self.valid_from.is_some() && self.materialized != Materialized::Scd2 {
            return Some((
                "`valid_from` is for `scd2` models",
                "write `materialized: scd2`, or remove it",
            ));
        }
        None
    }
}

const HINT: &str = "a header is YAML, as `/* materialized: incremental\\nunique_key: id */`";

/// The text of the comment that `text` starts with and the line on which its text starts.
fn first_comment(text: &str) -> Option<(String, u32)> {
    let start = text.len()
        - text
            .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
            .len();
    let rest = &text[start..];
    let line = 1 + u32::try_from(text[..start].matches('\n').count()).unwrap_or(0);
    if let Some(block) = rest.strip_prefix("/*") {
        let inside = &block[..block.find("*/")?];
        return Some((inside.to_owned(), line));
    }
    let lines: Vec<&str> = rest
        .lines()
        .map_while(|line| line.trim_start().strip_prefix("--"))
        .collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()?;
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default())
        .collect();
    Some((lines.join("\n"), line))
}

/// A list, or its only item.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_comment_are_read() {
        let block = "/*\nmaterialized: incremental\nunique_key: [a, b]\nvacuum: 7d\n*/\nSELECT 1";
        let lines =
            "\n-- materialized: incremental\n-- unique_key: [a, b]\n-- vacuum: 7d\nSELECT 1";
        let header = Header::read("m.sql", block).expect("a header");
        assert_eq!(header, Header::read("m.sql", lines).expect("a header"));
        assert_eq!(header.unique_key, ["a", "b"]);
        assert_eq!(header.materialized, Materialized::Incremental);
        assert_eq!(header.vacuum, Some(Duration::from_secs(7 * 86_400)));
        for plain in ["SELECT 1", "-- rows of a day\nSELECT 1"] {
            assert_eq!(
                Header::read("m.sql", plain).expect("none"),
                Header::default()
            );
        }
    }

    #[test]
    fn a_mistake_has_its_line() {
        let problem = Header::read(
            "m.sql",
            "\n-- materialized: table\n-- unique_kye: a\nSELECT 1",
        )
        .expect_err("a typo");
        assert_eq!((problem.line, problem.file.as_str()), (3, "m.sql"));
        let problem = Header::read("m.sql", "-- materialized: scd2\nSELECT 1").expect_err("no key");
        assert!(problem.message.contains("unique_key"), "{problem}");
    }
}
