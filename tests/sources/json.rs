//! JSON arrays and NDJSON.

use galen::base::sha256;
use galen::sources::{Format, Reader};

use super::{layout, read, rows, sample};

const OBJECT: &str = r#"{"id": 123456789012345678901234567890, "name": "zoë \"z\" \u00e9", "ok": true, "score": 1.50, "none": null, "list": [1, {"a": "]"}]}"#;

fn expected() -> Vec<&'static str> {
    vec![
        "123456789012345678901234567890",
        "zoë \"z\" é",
        "true",
        "1.50",
        "∅",
        r#"[1, {"a": "]"}]"#,
    ]
}

#[test]
fn values_keep_their_text() {
    let (cells, rejects) = rows(OBJECT, &layout(Format::Ndjson));
    assert_eq!(cells, [expected()]);
    assert!(rejects.is_empty());
    let (cells, rejects) = rows(format!("[\n{OBJECT}\n]\n"), &layout(Format::Json));
    assert_eq!(cells, [expected()]);
    assert!(rejects.is_empty());
}

#[test]
fn columns_are_the_union_of_all_keys_in_order_of_appearance() {
    let text = "{\"a\": 1}\n\n{\"b\": 2, \"A\": 3}\n";
    let file = sample(text);
    let reader = Reader::open(&file.path, "sample", &layout(Format::Ndjson)).expect("opens");
    assert_eq!(**reader.columns(), ["a", "b"]);
    let (cells, _) = rows(text, &layout(Format::Ndjson));
    assert_eq!(cells, [["1", "∅"], ["3", "2"]]);
}

#[test]
fn declared_columns_are_all_that_is_taken() {
    let mut declared = layout(Format::Json);
    declared.columns = Some(vec!["b".to_owned(), "c".to_owned()]);
    let (cells, _) = rows("[{\"a\": 1, \"b\": 2}]", &declared);
    assert_eq!(cells, [["2", "∅"]]);
}

#[test]
fn lines_and_hashes_are_those_of_the_file() {
    let file = sample("[\n {\"a\": 1},\n\n {\"a\":\n 2}\n, {\"a\": 3} ]");
    let batches = read(&file.path, &layout(Format::Json)).expect("readable");
    let batch = &batches[0];
    assert_eq!([batch.line(0), batch.line(1), batch.line(2)], [2, 4, 6]);
    assert_eq!(batch.hash(1), sha256("{\"a\":\n 2}"));
    assert_eq!(batch.hash(2), sha256("{\"a\": 3}"));
}

#[test]
fn one_bad_object_costs_one_record() {
    let text = "{\"a\": 1}\n{\"a\": }\n[1]\n{\"a\": 1, \"A\": 2}\n{\"a\": \"\\u0000\"}\n{\"a\": 2} x\n{\"a\": 9";
    let (cells, rejects) = rows(text, &layout(Format::Ndjson));
    assert_eq!(cells, [["1"]]);
    assert_eq!(
        rejects,
        [
            "2 bad_json",
            "3 not_an_object",
            "4 duplicate_key",
            "5 nul_byte",
            "6 bad_json",
            "7 bad_json"
        ]
    );
    let (cells, rejects) = rows(
        "[{\"a\": 1}, {\"a\" 2}, 3, {\"a\": 4}]",
        &layout(Format::Json),
    );
    assert_eq!(cells, [["1"], ["4"]]);
    assert_eq!(rejects, ["1 bad_json", "1 not_an_object"]);
}

#[test]
fn an_empty_array_has_no_records() {
    let (cells, rejects) = rows(" [ ] ", &layout(Format::Json));
    assert!(cells.is_empty() && rejects.is_empty());
}
