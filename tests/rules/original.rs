//! A pipeline already in use: its own rule tables, unmodified, on its own raw files.
//!
//! The figures were worked out without Galen, by a program of some fifty lines of Python (standard library only) that reads the same
//! rule tables: `strip(' ')`, `upper`, `lower`, `re.sub` and `strptime('%Y-%m-%d')` for cleansing, a dictionary for the mappings, `re.search`,
//! `in` and a comparison for quality. A digest is the SHA-256 of all records that passed, in their order: values joined by U+001F, null
//! written `\N`, a line feed after each record.

use std::collections::BTreeMap;
use std::path::Path;

use galen::base::sha256;
use galen::dag::DagFiles;
use galen::rules::tables::{
    Cleaning, Compatibility, JobKind, Known, RuleOutcome, RuleTables, Seen, SourceFormat,
};
use polars::prelude::*;

use crate::support::shared_data;

const FOLDER: &str = "pharma/configs";

fn tables(compatibility: Compatibility) -> Option<RuleTables> {
    let folder = shared_data(FOLDER)?;
    let mut files = DagFiles::default();
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("text");
        files.insert(format!("rules/{name}"), text);
    }
    let tables = RuleTables::load("rules", files.iter(), compatibility);
    Some(tables.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

type Records = Vec<Vec<Option<String>>>;

/// The columns and records of a raw file.
fn raw(path: &Path, format: SourceFormat) -> (Vec<String>, Records) {
    if format == SourceFormat::Csv {
        let mut reader = csv::Reader::from_path(path).expect("file");
        let columns = reader.headers().expect("header").iter();
        let columns = columns.map(str::to_owned).collect();
        let cell = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let records = reader.records().map(|record| record.expect("record"));
        let records = records.map(|record| record.iter().map(cell).collect());
        return (columns, records.collect());
    }
    let text = std::fs::read_to_string(path).expect("file");
    let records: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&text).expect("JSON");
    let columns: Vec<String> = records[0].keys().cloned().collect();
    let cell = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let records = records
        .iter()
        .map(|record| columns.iter().map(|name| cell(&record[name])).collect());
    let records = records.collect();
    (columns, records)
}

/// Plants defects: with `k = 7 * row + 13 * column` (both from 0), a value becomes null where `k % 29 = 3`, is padded where `k % 31 = 5`, and
/// becomes `?` where `k % 37 = 11`, `-7` where `k % 41 = 17`, `17/03/2025` where `k % 43 = 19`, by the first of these that holds. Each tenth record
/// comes twice.
fn planted(records: Records) -> Records {
    let mut result = Vec::new();
    for (row, mut record) in records.into_iter().enumerate() {
        for (column, cell) in record.iter_mut().enumerate() {
            let k = row * 7 + column * 13;
            if k % 29 == 3 {
                *cell = None;
            } else if k % 31 == 5 {
                *cell = Some(format!("  {} ", cell.as_deref().unwrap_or_default()));
            } else if k % 37 == 11 {
                *cell = Some("?".to_owned());
            } else if k % 41 == 17 {
                *cell = Some("-7".to_owned());
            } else if k % 43 == 19 {
                *cell = Some("17/03/2025".to_owned());
            }
        }
        result.push(record.clone());
        if row % 10 == 9 {
            result.push(record);
        }
    }
    result
}

/// What became of a table.
struct Outcome {
    /// Read, passed, duplicate, quarantined.
    counts: [u64; 4],
    /// Records with more than one reason.
    several: usize,
    digest: String,
    reasons: BTreeMap<String, u64>,
    outcomes: Vec<RuleOutcome>,
}

fn cleaned(cleaning: &Cleaning, columns: &[String], records: &Records, size: usize) -> Outcome {
    let (mut seen, known) = (Seen::default(), Known::default());
    let (mut several, mut lines, mut reasons) = (0, String::new(), BTreeMap::new());
    for chunk in records.chunks(size) {
        let chunk = columns.iter().enumerate().map(|(number, name)| {
            let values: Vec<Option<&str>> = chunk.iter().map(|r| r[number].as_deref()).collect();
            Column::new(name.as_str().into(), values)
        });
        let chunk = DataFrame::new_infer_height(chunk.collect()).expect("chunk");
        let cleaned = cleaning.apply(&chunk, &known, &mut seen).expect("applies");
        assert!(cleaned.counts.balances());
        for rejected in &cleaned.rejected {
            let words = cleaning.words(rejected);
            several += usize::from(words.len() > 1);
            for word in words {
                *reasons.entry(word).or_default() += 1;
            }
        }
        let texts: Vec<Column> = cleaned.passed.columns().to_vec();
        let texts: Vec<Column> = texts
            .iter()
            .map(|column| column.cast(&DataType::String).expect("text"))
            .collect();
        for row in 0..cleaned.passed.height() {
            let values: Vec<&str> = texts
                .iter()
                .map(|column| column.str().expect("text").get(row).unwrap_or("\\N"))
                .collect();
            lines.push_str(&values.join("\u{1f}"));
            lines.push('\n');
        }
    }
    let counts = seen.counts();
    let at = "2025-07-01T00:00:00Z".parse().expect("time");
    Outcome {
        counts: [
            counts.read,
            counts.passed,
            counts.duplicate,
            counts.quarantined,
        ],
        several,
        digest: sha256(&lines).to_string(),
        reasons,
        outcomes: cleaning
            .statuses(&seen, at)
            .iter()
            .map(|status| status.outcome)
            .collect(),
    }
}

struct Expected {
    table: &'static str,
    counts: [u64; 4],
    several: usize,
    digest: &'static str,
    reasons: &'static [(&'static str, u64)],
}

fn check(compatibility: Compatibility, expected: &[Expected], plant: bool) {
    let Some(tables) = tables(compatibility) else {
        return;
    };
    assert_eq!(tables.sources().len(), expected.len());
    for source in tables.sources() {
        let table = source.table.as_str();
        let expected = expected.iter().find(|e| e.table == table).expect(table);
        let path = shared_data(&format!("pharma/data/{}", source.path)).expect("raw file");
        let (columns, records) = raw(&path, source.format);
        let records = if plant { planted(records) } else { records };
        let cleaning = Cleaning::compile(&tables, table, &columns);
        let cleaning = cleaning.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(!cleaning.key().is_empty(), "{table}");
        for size in [100_000, 64, 1] {
            if size == 1 && records.len() > 50 {
                continue;
            }
            let found = cleaned(&cleaning, &columns, &records, size);
            assert_eq!(found.counts, expected.counts, "{table}");
            assert_eq!(found.several, expected.several, "{table}");
            let reasons: BTreeMap<String, u64> = expected
                .reasons
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count))
                .collect();
            assert_eq!(found.reasons, reasons, "{table}");
            assert_eq!(found.digest, expected.digest, "{table}");
            if !plant {
                let pass = |outcome: &RuleOutcome| *outcome == RuleOutcome::Pass;
                assert!(found.outcomes.iter().all(pass), "{table}");
            }
        }
    }
}

#[test]
fn the_raw_files_come_out_as_worked_out_by_hand() {
    check(Compatibility::Corrected, RAW, false);
}

#[test]
fn the_raw_files_come_out_as_the_original_made_them() {
    let phones = "6cf333d513364f934d2a921e8bd82ba70a65aae0c56517faa2ae8cebe1d5fb38";
    let expected: Vec<Expected> = RAW
        .iter()
        .map(|expected| Expected {
            digest: match expected.table {
                "hcp_data" => phones,
                _ => expected.digest,
            },
            ..*expected
        })
        .collect();
    check(Compatibility::Source, &expected, false);
}

#[test]
fn planted_defects_come_out_as_worked_out_by_hand() {
    check(Compatibility::Corrected, PLANTED, true);
}

#[test]
fn planted_defects_come_out_as_the_original_would_make_them() {
    check(Compatibility::Source, PLANTED_SOURCE, true);
}

#[test]
fn the_jobs_are_typed_and_in_order() {
    let Some(tables) = tables(Compatibility::Corrected) else {
        return;
    };
    let jobs = tables.jobs();
    assert_eq!(jobs.len(), 36);
    for (part, kind) in jobs.chunks(6).zip(JobKind::ALL) {
        assert!(part.iter().all(|job| job.kind == kind), "{kind:?}");
        assert!(part.is_sorted_by_key(|job| job.order), "{kind:?}");
    }
    let feedback = |tables: &RuleTables| {
        let jobs = tables.jobs().iter();
        let mut jobs = jobs.filter(|job| job.kind == JobKind::Dedup);
        let job = jobs.find(|job| job.target == "gold_hcp_feedback");
        job.expect("job").key.join(",")
    };
    // 780 of the 800 comments have a key of their own by the original's three columns
    assert_eq!(feedback(&tables), "hcp_id,product_id,rating,comment");
    let original = self::tables(Compatibility::Source).expect("tables");
    assert_eq!(feedback(&original), "hcp_id,product_id,rating");
    let paths: Vec<&str> = tables.sources().iter().map(|s| s.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "hcp_data.csv",
            "product_ref.csv",
            "product_sales.csv",
            "shipment_data.csv",
            "site_master.csv",
            "hcp_feedback.json"
        ]
    );
}

const RAW: &[Expected] = &[
    Expected {
        table: "hcp_data",
        counts: [300, 300, 0, 0],
        several: 0,
        digest: "c90766ee3fff48836ece067fc52ffbd775cd1466deb8eb52d5961265182a5aa2",
        reasons: &[],
    },
    Expected {
        table: "product_ref",
        counts: [10, 10, 0, 0],
        several: 0,
        digest: "2fe2b9d4fd0fe9bccb61771566c993721d97fcd3f9b03b4fe41a83c22e5fa9d4",
        reasons: &[],
    },
    Expected {
        table: "product_sales",
        counts: [2000, 2000, 0, 0],
        several: 0,
        digest: "1f77d851317750877fedbba222aac667353e2af3793475eb245b4a2eb0d62bf4",
        reasons: &[],
    },
    Expected {
        table: "shipment_data",
        counts: [1000, 1000, 0, 0],
        several: 0,
        digest: "56baf352d8a7706cc2a988dd0d57f000cfa928dce0e26428c64ef9bb4c54d335",
        reasons: &[],
    },
    Expected {
        table: "site_master",
        counts: [30, 30, 0, 0],
        several: 0,
        digest: "c6872b286706133ad76ae814a4e19c3252e040cd75245844e4103fb69e6740ef",
        reasons: &[],
    },
    Expected {
        table: "hcp_feedback",
        counts: [800, 800, 0, 0],
        several: 0,
        digest: "75d37e32477732e8a937a0053e0dafada9d8f9e254f12c31de560cfc5698d6b2",
        reasons: &[],
    },
];

const PLANTED: &[Expected] = &[
    Expected {
        table: "hcp_data",
        counts: [330, 203, 20, 107],
        several: 16,
        digest: "560307aee39569b3b5e846fb3196c819dd9240351ad9d972c4d340efd2e6ba40",
        reasons: &[
            ("First Name must not be null", 20),
            ("HCP ID must not be null", 11),
            ("Last Name must not be null", 21),
            ("Phone must be in valid 10-digit format", 23),
            ("Region must be valid", 24),
            ("Specialty must be a valid type", 24),
        ],
    },
    Expected {
        table: "product_ref",
        counts: [11, 10, 1, 0],
        several: 0,
        digest: "d108881ccd7b3f7ddfe363dbc3da2f98c3b1cd179e8c836f69a480b13bd685d3",
        reasons: &[],
    },
    Expected {
        table: "product_sales",
        counts: [2200, 1449, 143, 608],
        several: 67,
        digest: "f93f52b8197eccfc61b52354abc0ae81578d5fe6703b18bbbf577eb7324521c3",
        reasons: &[
            ("HCP ID must not be null", 76),
            ("Product ID must not be null", 76),
            ("Region must be valid", 149),
            ("Sale ID must not be null", 76),
            ("Units Sold must be numeric", 149),
            ("sale_date: bad_date", 150),
        ],
    },
    Expected {
        table: "shipment_data",
        counts: [1100, 773, 79, 248],
        several: 24,
        digest: "8eebdac8886c99725bcedf809a7322cb6401bf8cc57bf1c064c1d95bc98e3a50",
        reasons: &[
            ("Delay days must be non-negative", 51),
            ("Shipment ID must not be null", 37),
            ("Site ID must not be null", 39),
            ("actual_delivery: bad_date", 72),
            ("expected_delivery: bad_date", 73),
        ],
    },
    Expected {
        table: "site_master",
        counts: [33, 26, 2, 5],
        several: 0,
        digest: "0682974a1e99c16741f43ccc46fbdb843fd56f01228f74930e693dfed4b36531",
        reasons: &[
            ("Region must be valid", 2),
            ("Site ID must not be null", 1),
            ("Site Name must not be null", 2),
        ],
    },
    Expected {
        table: "hcp_feedback",
        counts: [880, 698, 69, 113],
        several: 4,
        digest: "a17be93f2b378f8d872aeb194148fcb360cb4ec100806674b268a222751b6be7",
        reasons: &[
            ("HCP ID must not be null", 29),
            ("Product ID must not be null", 31),
            ("Rating must be between 1 to 5", 57),
        ],
    },
];

const PLANTED_SOURCE: &[Expected] = &[
    Expected {
        table: "hcp_data",
        counts: [330, 203, 20, 107],
        several: 16,
        digest: "5170f9a0df3007d9296cbbafc0898094d8ae0e0ed0f0fa6fc802b40bdb9686ae",
        reasons: &[
            ("First Name must not be null", 20),
            ("HCP ID must not be null", 11),
            ("Last Name must not be null", 21),
            ("Phone must be in valid 10-digit format", 23),
            ("Region must be valid", 24),
            ("Specialty must be a valid type", 24),
        ],
    },
    Expected {
        table: "product_ref",
        counts: [11, 10, 1, 0],
        several: 0,
        digest: "d108881ccd7b3f7ddfe363dbc3da2f98c3b1cd179e8c836f69a480b13bd685d3",
        reasons: &[],
    },
    Expected {
        table: "product_sales",
        counts: [2200, 1559, 155, 486],
        several: 39,
        digest: "2bca26e552c269ba06bd59ee4d9db5e56d92c8564d62498831b0c70ec903ede4",
        reasons: &[
            ("HCP ID must not be null", 76),
            ("Product ID must not be null", 76),
            ("Region must be valid", 149),
            ("Sale ID must not be null", 76),
            ("Units Sold must be numeric", 149),
        ],
    },
    Expected {
        table: "shipment_data",
        counts: [1100, 931, 93, 76],
        several: 0,
        digest: "6115d7c20ce935e8743ee36bf01cc96140f85ca82da3902a67abdbd994c39670",
        reasons: &[
            ("Shipment ID must not be null", 37),
            ("Site ID must not be null", 39),
        ],
    },
    Expected {
        table: "site_master",
        counts: [33, 26, 2, 5],
        several: 0,
        digest: "0682974a1e99c16741f43ccc46fbdb843fd56f01228f74930e693dfed4b36531",
        reasons: &[
            ("Region must be valid", 2),
            ("Site ID must not be null", 1),
            ("Site Name must not be null", 2),
        ],
    },
    Expected {
        table: "hcp_feedback",
        counts: [880, 698, 69, 113],
        several: 4,
        digest: "a17be93f2b378f8d872aeb194148fcb360cb4ec100806674b268a222751b6be7",
        reasons: &[
            ("HCP ID must not be null", 29),
            ("Product ID must not be null", 31),
            ("Rating must be between 1 to 5", 57),
        ],
    },
];
