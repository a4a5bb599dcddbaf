//! From paths and patterns to files.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use reqwest::Url;

use super::locations::is_url;
use crate::base::{Error, Result};

/// A file or address to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFile {
    /// A file.
    Local {
        /// Where it is.
        path: PathBuf,
        /// Its path from the home folder where it is under it, `/`-separated; kept as `_file`.
        name: String,
    },
    /// An `http(s)` address.
    Remote {
        /// The whole address, which may hold a secret in its query.
        url: String,
        /// The address without user, password, query and fragment; kept as `_file`.
        name: String,
    },
}

impl SourceFile {
    /// How the file is named to people and in `_file`.
    pub fn name(&self) -> &str {
        match self {
            Self::Local { name, .. } | Self::Remote { name, .. } => name,
        }
    }
}

/// The files that `locations` stand for: in the order given, those of one pattern in order of their names, each once.
///
/// # Errors
/// When a pattern is malformed or a location names no file; with `optional`, what is absent is left out instead.
pub fn find_files(home: &Path, locations: &[String], optional: bool) -> Result<Vec<SourceFile>> {
    let mut found: Vec<SourceFile> = Vec::new();
    for location in locations {
        let files = if is_url(location) {
            vec![remote(location)]
        } else {
            local(home, location, optional)?
        };
        for file in files {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

fn remote(url: &str) -> SourceFile {
    SourceFile::Remote {
        url: url.to_owned(),
        name: public_part(url),
    }
}

/// `url` without what may be secret: user and password, query, fragment.
pub fn public_part(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return cut(url).to_owned();
    };
    // a password with a `/` or a `?` ends the host too early: nothing tells where it ends
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if !rest[..end].contains('@') && rest.contains('@') && Url::parse(url).is_err() {
        return format!("{scheme}://…");
    }
    let (host, path) = (&rest[..end], cut(&rest[end..]));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// An address without query and fragment.
fn cut(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn local(home: &Path, location: &str, optional: bool) -> Result<Vec<SourceFile>> {
    if !location.contains(['*', '?', '[']) {
        let path = home.join(location);
        // a file that is absent is an error only when it is opened, which says more
        return Ok(match optional && !path.exists() {
            true => Vec::new(),
            false => vec![named(home, path)],
        });
    }
    let mut pattern = glob::Pattern::escape(&home.to_string_lossy());
    if !pattern.is_empty() && !pattern.ends_with(MAIN_SEPARATOR) {
        pattern.push(MAIN_SEPARATOR);
    }
    if Path::new(location).is_absolute() {
        pattern.clear();
    }
    pattern.push_str(location);
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob::glob_with(&pattern, options).map_err(|error| {
        Error::new(format!("`{location}` is not a pattern: {}", error.msg))
            .hint("`*` stands for any part of a name, `**` for any folders, `[ab]` for one of the letters")
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            Error::new(format!("cannot look for `{location}`")).because(std::io::Error::from(error))
        })?;
        files.push(named(home, path));
    }
    if files.is_empty() && !optional {
        return Err(Error::new(format!("no file matches `{location}`"))
            .hint("relative patterns start at the home folder; `optional: true` accepts that there is none"));
    }
    files.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(files)
}

fn named(home: &Path, path: PathBuf) -> SourceFile {
    let name = path
        .strip_prefix(home)
        .unwrap_or(&path)
        .to_string_lossy()
        .replace(MAIN_SEPARATOR, "/");
    SourceFile::Local { path, name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(home: &Path, locations: &[&str]) -> Vec<String> {
        let locations: Vec<String> = locations.iter().map(|&one| one.to_owned()).collect();
        find_files(home, &locations, false)
            .expect("files")
            .iter()
            .map(|file| file.name().to_owned())
            .collect()
    }

    #[test]
    fn patterns_are_sorted_and_each_file_comes_once() {
        let home = tempfile::tempdir().expect("folder");
        for name in ["b.csv", "a.csv", "c.txt", ".hidden.csv"] {
            std::fs::write(home.path().join(name), "").expect("file");
        }
        assert_eq!(names(home.path(), &["*.csv"]), ["a.csv", "b.csv"]);
        assert_eq!(
            names(home.path(), &["b.csv", "*.csv", "c.txt"]),
            ["b.csv", "a.csv", "c.txt"]
        );
    }

    #[test]
    fn a_pattern_without_a_file_is_an_error_unless_that_is_allowed() {
        let home = tempfile::tempdir().expect("folder");
        let location = ["raw/*.csv".to_owned()];
        let error = find_files(home.path(), &location, false).expect_err("none");
        assert_eq!(error.to_string(), "no file matches `raw/*.csv`");
        assert_eq!(find_files(home.path(), &location, true).expect("none"), []);
        let absent = ["raw/a.csv".to_owned()];
        assert_eq!(find_files(home.path(), &absent, true).expect("none"), []);
    }

    #[test]
    fn secrets_of_an_address_stay_out_of_its_name() {
        assert_eq!(
            public_part("https://me:pass@example.org:8443/a/b.csv?token=1#x"),
            "https://example.org:8443/a/b.csv"
        );
        for password in ["pa/ss", "pa?ss", "pa#ss"] {
            let address = format!("https://me:{password}@example.org/a");
            assert_eq!(public_part(&address), "https://…");
        }
        assert_eq!(
            public_part("https://example.org/me@home"),
            "https://example.org/me@home"
        );
    }
}
