//! Files as they should not be: each with the message it gives.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use galen::sources::{Format, Reader};

use super::{failure, layout, read, rows, sample};

fn csv(bytes: impl AsRef<[u8]>) -> String {
    failure(bytes, &layout(Format::Csv))
}

#[test]
fn an_empty_file() {
    let hint = "\nhint: deliver the file again, or leave it out of the pattern";
    assert_eq!(
        csv(""),
        format!("`sample` is empty, expected a header line{hint}")
    );
    assert_eq!(
        csv("\n\r\n"),
        format!("`sample` is empty, expected a header line{hint}")
    );
    assert_eq!(
        failure(" \n", &layout(Format::Ndjson)),
        format!("`sample` is empty, expected an object on each line{hint}")
    );
    assert_eq!(
        failure("", &layout(Format::Json)),
        format!("`sample` is empty, expected an array of objects{hint}")
    );
}

#[test]
fn a_header_and_nothing_else() {
    let (cells, rejects) = rows("a,b\n", &layout(Format::Csv));
    assert!(cells.is_empty() && rejects.is_empty());
}

#[test]
fn a_line_that_does_not_end() {
    let mut text = String::from("a,b\n1,");
    text.push_str(&"x".repeat(200_000));
    let expected = "`sample:2`: a record is longer than 65536 bytes, the limit of `limits.max_record_bytes`\n\
                    hint: look for missing line breaks at that line, or raise the limit in `galen.toml`";
    assert_eq!(csv(&text), expected);
    let json = format!("{{\"a\": 1}}\n{{\"a\": \"{}\"}}", "x".repeat(200_000));
    assert_eq!(failure(json, &layout(Format::Ndjson)), expected);
}

/// A gigabyte in one line: refused after reading little of it, which this shows by never writing it.
#[test]
fn a_line_of_a_gigabyte_is_refused_in_bounded_memory() {
    let file = sample("a,b\n1,");
    let handle = std::fs::OpenOptions::new()
        .write(true)
        .open(&file.path)
        .expect("opens");
    handle.set_len(1 << 30).expect("a file with a hole");
    let mut reader = Reader::open(&file.path, "sample", &layout(Format::Csv)).expect("opens");
    let error = reader.next_batch().expect_err("too long");
    assert!(
        error
            .to_string()
            .starts_with("`sample:2`: a record is longer")
    );
}

#[test]
fn nul_bytes() {
    let (cells, rejects) = rows(b"a,b\n1,\0\n2,3\n", &layout(Format::Csv));
    assert_eq!(cells, [["2", "3"]]);
    assert_eq!(rejects, ["2 nul_byte"]);
    assert_eq!(
        csv(b"\0\0\n"),
        "`sample:1`: the header cannot be read: byte 1 is NUL\n\
         hint: set `encoding` of the source to `latin1` or `windows-1252` if that is what it is"
    );
}

#[test]
fn latin_bytes_in_a_file_that_should_be_utf8() {
    let file = sample(b"a,b\n1,caf\xE9\n2,3\n");
    let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
    let reject = &batches[0].rejects[0];
    assert_eq!((reject.line, reject.reason), (2, "bad_encoding"));
    assert_eq!(reject.detail, "byte 6 is not UTF-8");
    assert_eq!(reject.raw, b"1,caf\xE9");
    assert_eq!(batches[0].len(), 1);
}

#[test]
fn ragged_rows() {
    let file = sample("a,b\n1\n2,3\n4,5,6\n");
    let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
    let details: Vec<_> = batches[0]
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.detail.as_str()))
        .collect();
    assert_eq!(
        details,
        [
            (2, "found 1 fields, expected 2"),
            (4, "found 3 fields, expected 2")
        ]
    );
    assert_eq!(batches[0].len(), 1);
}

#[test]
fn an_unclosed_quote_costs_its_line_and_no_more() {
    let (cells, rejects) = rows("a,b\n1,\"x\n2,y\n3,\"z\"\n", &layout(Format::Csv));
    assert_eq!(cells, [["2", "y"], ["3", "z"]]);
    assert_eq!(rejects, ["2 bad_quote"]);
    // the rest of the file is far longer than a record may be
    let mut text = String::from("a,b\n1,\"x\n");
    for n in 0..50_000 {
        text.push_str(&format!("{n},y\n"));
    }
    let (cells, rejects) = rows(text, &layout(Format::Csv));
    assert_eq!(cells.len(), 50_000);
    assert_eq!(rejects, ["2 bad_quote"]);
    // where it happens to meet a quote that closes it, it is a record like any other
    let (cells, rejects) = rows("a,b\n1,\"x\n2,y\n3,\"\n4,5\n", &layout(Format::Csv));
    assert_eq!(cells, [["1", "x\n2,y\n3,"], ["4", "5"]]);
    assert!(rejects.is_empty());
}

#[test]
fn text_after_a_closing_quote() {
    let (cells, rejects) = rows("a,b\n\"1\"x,2\n3,4\n", &layout(Format::Csv));
    assert_eq!(cells, [["3", "4"]]);
    assert_eq!(rejects, ["2 bad_quote"]);
}

#[test]
fn a_header_that_names_a_column_twice() {
    assert_eq!(
        csv("id,b,ID\n1,2,3\n"),
        "`sample:1`: column `ID` is in the header twice, as columns 1 and 3\n\
         hint: give each column a name of its own"
    );
}

#[test]
fn line_ends_of_an_old_mac() {
    let expected = "`sample:1`: the header has a carriage return without a line feed, expected lines that end with LF or CRLF\n\
                    hint: convert the line ends before the file is delivered, as `tr '\\r' '\\n'` does";
    let long = format!("id,name\r{}", "1,a\r".repeat(100_000));
    for text in [
        "id,name\r1,a\r2,b\r",
        "\"id\",\"name\"\r\"1\",\"a\"\r",
        "id\r1\r2\n",
        "\rid,name\n1,a\n",
        &long,
    ] {
        assert_eq!(csv(text), expected);
    }
    // between quotes any line end is part of a name or a cell, and a CRLF ends a line
    let (cells, rejects) = rows(
        "\"a\rb\nc\",\"d\r\ne\"\r\n\"1\r2\",\"3\n4\"\r\n",
        &layout(Format::Csv),
    );
    assert_eq!(cells, [["1\r2", "3\n4"]]);
    assert!(rejects.is_empty());
}

#[test]
fn a_header_that_is_no_text() {
    for (text, column) in [("\x1bid,name\n1,a\n", 1), ("id,\"na\x07me\"\n1,a\n", 2)] {
        assert_eq!(
            csv(text),
            format!(
                "`sample:1`: the name of column {column} holds a control character, expected text\n\
                 hint: look at what was delivered: it does not seem to be CSV"
            )
        );
    }
}

#[test]
fn a_page_in_place_of_the_file() {
    let expected = "`sample` is an HTML page, expected CSV or JSON\n\
                    hint: look at what was delivered; an address gives a page when it wants a login or has moved";
    for text in [
        "<!DOCTYPE html><html><head></head></html>",
        "\u{feff}\r\n  <HTML lang=\"en\">\n<body>Log in, please</body>",
        "<html>",
    ] {
        for format in [Format::Csv, Format::Json, Format::Ndjson] {
            assert_eq!(failure(text, &layout(format)), expected);
        }
    }
    let (cells, _) = rows("<htmlish>,b\n1,2\n", &layout(Format::Csv));
    assert_eq!(cells, [["1", "2"]]);
}

#[test]
fn a_column_that_is_missing() {
    let mut chosen = layout(Format::Csv);
    chosen.columns = Some(vec!["patient_id".to_owned()]);
    assert_eq!(
        failure("PatientID,Age\n1,2\n", &chosen),
        "`sample` has no column `patient_id` among its 2\nhint: did you mean `PatientID`?"
    );
}

#[test]
fn another_delimiter() {
    assert_eq!(
        csv("id;name;born\n1;a;2001\n"),
        "the header of `sample` is a single column, expected one that `delimiter` separates\n\
         hint: its fields seem to be separated by `;`: set `delimiter: \";\"` of the source, or `auto`"
    );
    let mut chosen = layout(Format::Csv);
    chosen.columns = Some(vec!["id".to_owned()]);
    assert_eq!(
        failure("id\tname, first\tborn\n1\ta\t2001\n", &chosen),
        "`sample` has no column `id` among its 2\n\
         hint: its fields seem to be separated by `tab`: set `delimiter: \"tab\"` of the source, or `auto`"
    );
    // a name may hold anything where it is quoted
    let (cells, _) = rows("\"a|b\"\n1\n", &layout(Format::Csv));
    assert_eq!(cells, [["1"]]);
}

#[test]
fn ten_thousand_columns() {
    let header: Vec<_> = (0..10_000).map(|n| format!("c{n}")).collect();
    let row: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
    let text = format!("{}\n{}\n", header.join(","), row.join(","));
    let (cells, _) = rows(text, &layout(Format::Csv));
    assert_eq!(cells, [row]);
}

#[test]
fn gzip_cut_short_or_damaged() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    for n in 0..50_000 {
        writeln!(encoder, "{n},x").expect("compressed");
    }
    let whole = encoder.finish().expect("compressed");
    assert_eq!(
        csv(&whole[..whole.len() / 2]),
        "`sample` is cut short: the gzip data ends before its end mark\n\
         hint: deliver the file again; records before the cut were kept"
    );
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert_eq!(
        csv(damaged),
        "`sample` is damaged: the gzip data does not agree with its checksum\nhint: deliver the file again"
    );
}

#[test]
fn an_array_cut_short_or_broken() {
    let json = |text: &str| failure(text, &layout(Format::Json));
    assert_eq!(
        json("[{\"a\": 1},\n{\"a\": "),
        "`sample:2`: the array ends too early, expected `]`\nhint: the file is cut short: deliver it again"
    );
    assert_eq!(
        json("{\"a\": 1}\n"),
        "`sample:1`: expected `[`, the start of an array of objects\n\
         hint: a file with an object on each line is read with `ndjson`"
    );
    assert_eq!(json("[{\"a\": 1},\n,]"), "`sample:2`: expected an element");
    assert_eq!(
        json("[{\"a\": 1}] x"),
        "`sample:1`: expected nothing after the array"
    );
}

#[test]
fn a_directory_instead_of_a_file() {
    let folder = tempfile::tempdir().expect("folder");
    let error = Reader::open(folder.path(), "raw", &layout(Format::Csv))
        .err()
        .expect("a directory");
    assert_eq!(
        format!("{error:?}"),
        "`raw` is a directory, expected a file\nhint: name the files in it with a pattern, as `raw/*.csv`"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let error = Reader::open("/nowhere/a.csv".as_ref(), "a.csv", &layout(Format::Csv))
        .err()
        .expect("absent");
    assert_eq!(
        format!("{error:?}"),
        "file `a.csv` does not exist\nhint: relative paths start at the home folder (`--home`)"
    );
}

#[test]
fn what_is_not_text_at_all() {
    for (bytes, what) in [
        (&b"\xFF\xFEa\0"[..], "UTF-16 text"),
        (b"PK\x03\x04....", "a zip archive or a spreadsheet"),
    ] {
        let message = csv(bytes);
        assert!(message.starts_with(&format!("`sample` is {what}, expected text")));
    }
}
