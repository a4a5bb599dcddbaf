//! `profile`: what is in a file, without a value that points at somebody.

use galen::sources::{Format, Kind, Profile, profile};

use super::{MAX, sample};
use crate::support::shared_data;

fn profile_of(name: &str, bytes: impl AsRef<[u8]>) -> Profile {
    let file = sample(bytes);
    profile(&file.path, name, MAX).expect("a profile")
}

#[test]
fn tells_what_it_sees() {
    let mut text = b"\xEF\xBB\xBFid;born;score;seen;note;sex\n".to_vec();
    for n in 0..40 {
        let sex = if n % 4 == 0 { "F" } else { "M" };
        let score = if n == 7 {
            "none".to_owned()
        } else {
            format!("{n}.5")
        };
        let line = format!(
            "{n};{}0215;{score};2026-01-{:02} 10:00:00;;{sex}\n",
            1960 + n,
            1 + n % 28
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.extend_from_slice("caf\u{e9};1\n".as_bytes());
    let found = profile_of("visits.csv", text);
    assert_eq!((found.format, found.delimiter), (Format::Csv, Some(';')));
    assert_eq!((found.bom, found.encoding, found.rows), (true, "utf-8", 40));
    assert_eq!(found.rejected["ragged"], 1);
    let kinds: Vec<_> = found
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("id", Kind::Integer),
            ("born", Kind::Date),
            ("score", Kind::Number),
            ("seen", Kind::Time),
            ("note", Kind::Text),
            ("sex", Kind::Text)
        ]
    );
    let [id, born, score, seen, note, sex] = found.columns.as_slice() else {
        panic!("six columns");
    };
    assert_eq!(
        (id.min.as_deref(), id.max.as_deref()),
        (Some("0"), Some("39"))
    );
    assert_eq!((id.distinct, id.distinct_is_exact, id.nulls), (40, true, 0));
    assert_eq!(
        (born.format, born.min.as_deref()),
        (Some("%Y%m%d"), Some("1960-02-15"))
    );
    assert_eq!((score.others, score.max.as_deref()), (1, Some("39.5")));
    assert_eq!(seen.max.as_deref(), Some("2026-01-28 10:00:00"));
    assert_eq!((note.nulls, note.distinct), (40, 0));
    // ten women are too few to be shown
    let shown: Vec<_> = sex
        .frequent
        .iter()
        .map(|one| (one.value.as_str(), one.count))
        .collect();
    assert_eq!(shown, [("M", 30)]);
}

#[test]
fn tells_encodings_apart() {
    for (bytes, expected) in [
        (&b"a,b\n1,plain\n"[..], "ascii"),
        ("a,b\n1,ni\u{f1}o\n".as_bytes(), "utf-8"),
        (b"a,b\n1,ni\xF1o\n", "latin1"),
        (b"a,b\n1,ni\xF1o 5\x80\n", "windows-1252"),
    ] {
        let found = profile_of("a.csv", bytes);
        assert_eq!((found.encoding, found.rows), (expected, 1));
    }
}

#[test]
fn a_letter_on_the_edge_of_what_is_read_at_once_is_no_mistake() {
    for shift in 0..3 {
        let text = format!("a\n{}{}\n", "x".repeat(shift), "\u{20ac}\n".repeat(200_000));
        assert_eq!(profile_of("a.csv", text).encoding, "utf-8");
    }
}

#[test]
fn finds_the_language() {
    assert_eq!(profile_of("a.json", "[{\"a\": 1}]").format, Format::Json);
    assert_eq!(profile_of("a.jsonl", "{\"a\": 1}\n").format, Format::Ndjson);
    assert_eq!(profile_of("a", "{\"a\": 1}\n{\"a\": 2}\n").rows, 2);
}

#[test]
fn text_is_never_shown_by_its_extremes() {
    let found = profile_of("a.csv", "name,id\nzoe,123456789012345678901234567890\n");
    assert!(
        found
            .columns
            .iter()
            .all(|column| column.min.is_none() && column.frequent.is_empty())
    );
}

#[test]
fn profiles_a_real_file() {
    let Some(path) = shared_data("nih-chestxray14/Data_Entry_2017_v2020.csv.gz") else {
        return;
    };
    let found = profile(&path, "nih.csv.gz", MAX).expect("a profile");
    assert_eq!((found.rows, found.columns.len()), (112_120, 11));
    let column = |name: &str| {
        let mut columns = found.columns.iter();
        columns
            .find(|column| column.name == name)
            .expect("a column")
    };
    let patients = column("Patient ID");
    assert!(
        patients.distinct.abs_diff(30_805) < 3_000,
        "{}",
        patients.distinct
    );
    assert!(patients.frequent.is_empty());
    assert_eq!(column("Finding Labels").frequent[0].value, "No Finding");
    assert_eq!(column("Finding Labels").frequent[0].count, 60_361);
    assert_eq!(column("Patient Age").kind, Kind::Integer);
}
