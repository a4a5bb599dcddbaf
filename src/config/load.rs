//! Reading settings from their three places, with the place of every mistake.

use std::path::Path;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::Settings;
use crate::base::{Error, Result, nearest};

/// The settings file, in the home folder.
pub const FILE: &str = "galen.toml";

/// Names the home folder when no flag does.
pub const HOME_VARIABLE: &str = "GALEN_HOME";

const PREFIX: &str = "GALEN_";

/// Variables that start like a setting and are none: the home folder, and what tests look at.
const OTHERS: [&str; 2] = [HOME_VARIABLE, "GALEN_SHARED_DATA"];
const TESTS: &str = "GALEN_TEST_";

/// Section whose keys a person chooses.
const FREE_SECTION: &str = "pools";

impl Settings {
    /// Settings of the installation in `home`: its `galen.toml` if there is one, overlaid with the `GALEN_*` variables of
    /// `environment` (`GALEN_DATABASE_URL`, `GALEN_ENGINE__PARALLELISM`).
    ///
    /// # Errors
    /// Every unknown key with the nearest known one, or the first bad value, each with its place.
    pub fn load(
        home: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let text = read(home)?;
        let file = DeTable::parse(&text).map_err(|error| syntax(&text, &error))?;
        let sources = Sources {
            text: &text,
            file,
            variables: variables(environment),
        };
        let known = serde_json::to_value(Self::default())
            .map_err(|error| Error::new("default settings cannot be listed").because(error))?;
        sources.refuse_unknown(&known)?;
        let merged = sources.merge(&known)?;
        let mut settings: Self = serde_path_to_error::deserialize(Value::Table(merged))
            .map_err(|error| sources.refuse(&error.path().to_string(), error.inner().message()))?;
        settings.home = home.to_owned();
        match settings.flaw() {
            Some((key, expected)) => Err(sources.refuse(&key, &expected)),
            None => Ok(settings),
        }
    }
}

fn read(home: &Path) -> Result<String> {
    let path = home.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::new(format!("cannot read `{}`", path.display()))
            .because(error)
            .hint("settings are UTF-8 text that this user may read")),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map_or(0, |span| line(text, span.start));
    Error::new(format!("{FILE}:{place}: {}", error.message()))
        .hint("the file is TOML: `key = value` lines under `[section]` headings")
}

/// Line, from 1, of byte `offset`.
fn line(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// A variable and the key path it stands for.
struct Variable {
    name: String,
    path: Vec<String>,
    value: String,
}

/// The settings among the environment's variables, by name, so that messages do not depend on its order.
fn variables(environment: impl IntoIterator<Item = (String, String)>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = environment
        .into_iter()
        .filter(|(name, _)| !OTHERS.contains(&name.as_str()) && !name.starts_with(TESTS))
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?.to_lowercase();
            let path = key.split("__").map(str::to_owned).collect();
            Some(Variable { name, path, value })
        })
        .collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    variables
}

struct Sources<'t> {
    text: &'t str,
    file: Spanned<DeTable<'t>>,
    variables: Vec<Variable>,
}

impl Sources<'_> {
    /// An error that lists every key no setting has.
    fn refuse_unknown(&self, known: &Json) -> Result<()> {
        let mut problems = Vec::new();
        let mut hints = Vec::new();
        for (key, value) in self.file.get_ref() {
            let mut check = |place: usize, path: String, within: &Json, key: &str| {
                if within.get(key).is_none() {
                    problems.push(format!("{FILE}:{place}: unknown setting `{path}`"));
                    hints.extend(suggestion(within, key));
                }
            };
            let name = key.get_ref().as_ref();
            check(
                line(self.text, key.span().start),
                name.to_owned(),
                known,
                name,
            );
            let (Some(section), DeValue::Table(table)) = (known.get(name), value.get_ref()) else {
                continue;
            };
            if name == FREE_SECTION {
                continue;
            }
            for key in table.keys() {
                let inner = key.get_ref().as_ref();
                let place = line(self.text, key.span().start);
                check(place, format!("{name}.{inner}"), section, inner);
            }
        }
        for variable in &self.variables {
            if kind_of(known, &variable.path).is_none() {
                problems.push(format!(
                    "environment variable `{}` is not a setting",
                    variable.name
                ));
                hints.extend(nearest_variable(known, &variable.name));
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(
                Error::new(problems.join("\n")).hint(match hints.is_empty() {
                    true => "README.md lists the settings".to_owned(),
                    false => hints.join("\n"),
                }),
            ),
        }
    }

    /// The file's table with the variables laid over it.
    fn merge(&self, known: &Json) -> Result<Table> {
        let mut merged: Table = self
            .text
            .parse()
            .map_err(|error| syntax(self.text, &error))?;
        for variable in &self.variables {
            let value = typed(&variable.value, kind_of(known, &variable.path));
            match variable.path.as_slice() {
                [key] => {
                    merged.insert(key.clone(), value);
                }
                [section, key] => {
                    let section = merged
                        .entry(section.clone())
                        .or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(section) = section {
                        section.insert(key.clone(), value);
                    }
                }
                _ => {}
            }
        }
        Ok(merged)
    }

    /// The error for the value of `key` (`section.key`), with the place it came from.
    fn refuse(&self, key: &str, expected: &str) -> Error {
        let path: Vec<&str> = key.split('.').collect();
        if let Some(variable) = self.variables.iter().find(|v| v.path == path) {
            return Error::new(format!(
                "environment variable `{}`: {expected}",
                variable.name
            ));
        }
        let mut table = Some(self.file.get_ref());
        let mut place = 1;
        for name in path {
            let Some((key, value)) = table.and_then(|t| t.get_key_value(name)) else {
                break;
            };
            place = line(self.text, key.span().start);
            table = value.get_ref().as_table();
        }
        Error::new(format!("{FILE}:{place}: `{key}`: {expected}"))
    }
}

/// The default value at `path`; `None` when no setting is there.
fn kind_of<'a>(known: &'a Json, path: &[String]) -> Option<&'a Json> {
    match path {
        [key] => known.get(key).filter(|value| !value.is_object()),
        [section, _] if section == FREE_SECTION => known.get(section)?.as_object()?.values().next(),
        [section, key] => known.get(section)?.get(key),
        _ => None,
    }
}

/// A variable's text as the type of its setting's default; as text when it does not read as that.
fn typed(text: &str, default: Option<&Json>) -> Value {
    let parsed = match default {
        Some(Json::Number(_)) => text.parse().ok().map(Value::Integer),
        Some(Json::Bool(_)) => text.parse().ok().map(Value::Boolean),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn suggestion(within: &Json, key: &str) -> Option<String> {
    let known = within.as_object()?;
    let name = nearest(key, known.keys().map(String::as_str))?;
    Some(format!("did you mean `{name}`?"))
}

fn nearest_variable(known: &Json, given: &str) -> Option<String> {
    let mut names = Vec::new();
    for (key, value) in known.as_object()? {
        match value.as_object() {
            Some(section) => names.extend(
                section
                    .keys()
                    .map(|inner| format!("{PREFIX}{key}__{inner}").to_uppercase()),
            ),
            None => names.push(format!("{PREFIX}{key}").to_uppercase()),
        }
    }
    let name = nearest(given, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings> {
        let home = tempfile::tempdir().expect("home");
        std::fs::write(home.path().join(FILE), file).expect("write");
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(home.path(), environment)
    }

    fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
        format!("{:?}", load(file, environment).expect_err("refused"))
    }

    #[test]
    fn defaults_hold_without_a_file() {
        let home = tempfile::tempdir().expect("home");
        let settings = Settings::load(home.path(), []).expect("defaults");
        assert_eq!(settings.home, home.path());
        assert_eq!(settings.pools.slots("default_pool"), Some(128));
        assert_eq!(settings.flaw(), None);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let file = "[engine]\nparallelism = 2\ngrace = \"3s\"\n[pools]\nnight = 4\n";
        let settings = load(
            file,
            &[
                ("GALEN_ENGINE__PARALLELISM", "7"),
                ("GALEN_POOLS__NIGHT", "5"),
                ("GALEN_DATABASE_URL", "postgres://u:p@h/d"),
                ("GALEN_TEST_POSTGRES_URL", "x"),
                ("PATH", "/bin"),
            ],
        )
        .expect("settings");
        assert_eq!(settings.engine.parallelism, 7);
        assert_eq!(settings.engine.grace.as_secs(), 3);
        assert_eq!(settings.pools.slots("night"), Some(5));
        assert_eq!(settings.pools.slots("default_pool"), Some(128));
        assert!(!format!("{settings:?}").contains("u:p"));
    }

    #[test]
    fn unknown_keys_are_all_named_with_the_nearest_known_one() {
        let file = "databse_url = \"x\"\n\n[engine]\nparalelism = 2\n[zebra]\n";
        insta::assert_snapshot!(refusal(file, &[("GALEN_ENGINE__GRAZE", "1s")]), @r"
        galen.toml:1: unknown setting `databse_url`
        galen.toml:4: unknown setting `engine.paralelism`
        galen.toml:5: unknown setting `zebra`
        environment variable `GALEN_ENGINE__GRAZE` is not a setting
        hint: did you mean `database_url`?
        did you mean `parallelism`?
        did you mean `GALEN_ENGINE__GRACE`?
        ");
    }

    #[test]
    fn a_bad_value_is_refused_with_its_place() {
        insta::assert_snapshot!(refusal("[engine]\n\nparallelism = \"many\"\n", &[]), @r#"galen.toml:3: `engine.parallelism`: invalid type: string "many", expected u32"#);
        insta::assert_snapshot!(refusal("[engine]\nlease_ttl = \"1h\"\n", &[]), @"galen.toml:2: `engine.lease_ttl`: expected a duration from `1s` to `10s`");
        insta::assert_snapshot!(refusal("[engine]\ngrace = \"5 minutes\"\n", &[]), @"galen.toml:2: `engine.grace`: `5 minutes` is not a duration, expected for example `30s`, `5m` or `2h`");
        insta::assert_snapshot!(refusal("[engine\n", &[]), @"
        galen.toml:1: unclosed table, expected `]`
        hint: the file is TOML: `key = value` lines under `[section]` headings
        ");
        insta::assert_snapshot!(refusal("", &[("GALEN_POOLS__NIGHT", "-1")]), @"environment variable `GALEN_POOLS__NIGHT`: invalid value: integer `-1`, expected u32");
        insta::assert_snapshot!(refusal("", &[("GALEN_DATABASE_URL", "mysql://u:secret@h/d")]), @"environment variable `GALEN_DATABASE_URL`: expected `postgres://user:password@host:port/database`");
    }
}
