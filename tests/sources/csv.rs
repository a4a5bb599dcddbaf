//! CSV in all its dialects.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use galen::base::sha256;
use galen::sources::{BATCH_RECORDS, Delimiter, Encoding, Format, Reader};
use proptest::prelude::*;

use super::{layout, read, records, rows, sample};

#[test]
fn quotes_line_breaks_and_nulls() {
    let text = "a,b,c\r\n1,\"x, \"\"y\"\"\r\nz\",\r\n\r\n2,\"\",  3 \n";
    let (cells, rejects) = rows(text, &layout(Format::Csv));
    assert_eq!(
        cells,
        [vec!["1", "x, \"y\"\r\nz", "∅"], vec!["2", "", "  3 "]]
    );
    assert!(rejects.is_empty());
}

#[test]
fn lines_and_hashes_are_those_of_the_file() {
    let file = sample("a,b\n1,\"x\ny\"\n\n2,z\r\n3,w");
    let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
    let batch = &batches[0];
    assert_eq!([batch.line(0), batch.line(1), batch.line(2)], [2, 5, 6]);
    assert_eq!(batch.hash(0), sha256("1,\"x\ny\""));
    assert_eq!(batch.hash(1), sha256("2,z"));
    assert_eq!(batch.hash(2), sha256("3,w"));
}

#[test]
fn a_mark_and_blanks_in_the_header_do_not_reach_the_names() {
    let file = sample("\u{feff},\"b\"\"c\", d \n1,2,3\n");
    let reader = Reader::open(&file.path, "sample", &layout(Format::Csv)).expect("opens");
    assert_eq!(**reader.columns(), ["column_1", "b\"c", "d"]);
}

#[test]
fn any_delimiter_and_quote() {
    let mut other = layout(Format::Csv);
    other.delimiter = Delimiter::Byte(b'|');
    other.quote = Some(b'\'');
    let (cells, _) = rows("a|b\n'x|y'|it's\n'it''s'|2\n", &other);
    assert_eq!(cells, [["x|y", "it's"], ["it's", "2"]]);
    other.quote = None;
    let (cells, _) = rows("a|b\n'x|\"y\n", &other);
    assert_eq!(cells, [["'x", "\"y"]]);
    other.delimiter = Delimiter::Auto;
    let (cells, _) = rows("a;b\n1;2,5\n", &other);
    assert_eq!(cells, [["1", "2,5"]]);
}

#[test]
fn chosen_columns_come_in_the_order_asked_for() {
    let mut chosen = layout(Format::Csv);
    chosen.columns = Some(vec!["C".to_owned(), "a".to_owned()]);
    let (cells, rejects) = rows("a,b,c\n1,2,3\n4,5\n", &chosen);
    assert_eq!(cells, [["3", "1"]]);
    assert_eq!(rejects, ["3 ragged"]);
}

#[test]
fn gzip_of_several_members_is_one_file() {
    let mut bytes = Vec::new();
    for part in ["a,b\n1,", "2\n3,4\n"] {
        let mut encoder = GzEncoder::new(&mut bytes, Compression::fast());
        encoder.write_all(part.as_bytes()).expect("compressed");
        encoder.finish().expect("compressed");
    }
    let (cells, _) = rows(bytes, &layout(Format::Csv));
    assert_eq!(cells, [["1", "2"], ["3", "4"]]);
}

#[test]
fn latin_bytes_become_letters_when_asked() {
    let mut latin = layout(Format::Csv);
    latin.encoding = Encoding::Latin1;
    let (cells, rejects) = rows(b"a,b\n\"\"\"caf\xE9\"\"\",\xF1\n", &latin);
    assert_eq!(cells, [["\"café\"", "ñ"]]);
    assert!(rejects.is_empty());
}

#[test]
fn a_long_file_is_cut_into_equal_batches_and_any_part_can_be_skipped() {
    let mut text = String::from("n,bad\n");
    for n in 0..12_345 {
        let bad = if n % 1_000 == 7 { ",ragged" } else { "" };
        text.push_str(&format!("{n},x{bad}\n"));
    }
    let file = sample(&text);
    let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
    let sizes: Vec<_> = batches
        .iter()
        .map(|batch| batch.len() + batch.rejects.len())
        .collect();
    assert_eq!(sizes, [BATCH_RECORDS, BATCH_RECORDS, 2_345]);

    let mut reader = Reader::open(&file.path, "sample", &layout(Format::Csv)).expect("opens");
    reader.skip(BATCH_RECORDS as u64).expect("skipped");
    let second = reader.next_batch().expect("readable").expect("a batch");
    assert_eq!(records(&second), records(&batches[1]));
    assert_eq!(second.rejects, batches[1].rejects);
    assert_eq!(reader.records_read(), 2 * BATCH_RECORDS as u64);
}

#[test]
fn a_batch_of_wide_records_is_cut_by_its_bytes() {
    let wide = "x".repeat(50_000);
    let mut text = String::from("a,b\n");
    for n in 0..400 {
        text.push_str(&format!("{n},{wide}\n"));
    }
    let file = sample(&text);
    let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
    assert!(batches.len() > 1);
    assert!(batches.iter().all(|batch| batch.text_bytes() < 9 << 20));
    assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 400);
}

proptest! {
    /// What the `csv` crate writes comes back, wherever the fields' boundaries fall.
    #[test]
    fn reads_back_what_was_written(table in prop::collection::vec(prop::collection::vec("[a,\"\n\r é]{0,6}", 3), 1..40)) {
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).expect("written");
        for row in &table {
            writer.write_record(row).expect("written");
        }
        let bytes = writer.into_inner().expect("written");
        let (cells, rejects) = rows(bytes, &layout(Format::Csv));
        prop_assert_eq!(cells, table);
        prop_assert!(rejects.is_empty());
    }

    /// Whatever the bytes are, every one of them but line ends is in a record or a reject.
    #[test]
    fn nothing_is_lost_of_any_file(body in prop::collection::vec(prop::sample::select(b"ab,\"\n\r\xE9\0".to_vec()), 0..200)) {
        let mut bytes = b"x,y\n".to_vec();
        bytes.extend_from_slice(&body);
        let file = sample(&bytes);
        let batches = read(&file.path, &layout(Format::Csv)).expect("readable");
        let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty() && *line != b"\r");
        let rejected: usize = batches.iter().flat_map(|batch| &batch.rejects).count();
        let good: usize = batches.iter().map(|batch| batch.len()).sum();
        prop_assert!(rejected + good <= lines.clone().count());
        if !body.contains(&b'"') {
            prop_assert_eq!(rejected + good, lines.count());
        }
    }
}
