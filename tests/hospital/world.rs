//! What is in the made-up files, read by plain Rust that knows how each site writes dates and what words mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::NaiveDate;

use super::home::Row;
use crate::support::csv_rows;

pub struct Patient {
    pub id: String,
    pub name: String,
    pub gender: String,
    pub born: NaiveDate,
    pub country: String,
}

pub struct Doctor {
    pub id: String,
    pub name: String,
    pub department: String,
    pub years: i64,
}

pub struct Visit {
    pub id: String,
    pub patient: String,
    pub doctor: String,
    pub department: String,
    pub day: NaiveDate,
    pub diagnosis: String,
    pub minutes: i128,
    pub follow_up: bool,
}

/// Money is in cents.
pub struct Treatment {
    pub id: String,
    pub visit: String,
    pub kind: String,
    pub cost: i128,
    pub paid: i128,
    pub insurer: String,
}

/// What became of the records of a file.
#[derive(Default)]
pub struct Fate {
    pub read: u64,
    pub duplicate: u64,
    /// How many things are wrong with the record on a line.
    pub rejected: BTreeMap<u64, usize>,
}

/// Everything that is sound.
pub struct World {
    pub patients: BTreeMap<String, Patient>,
    pub doctors: BTreeMap<String, Doctor>,
    pub visits: BTreeMap<String, Visit>,
    pub treatments: BTreeMap<String, Treatment>,
    pub fates: BTreeMap<&'static str, Fate>,
}

/// Standard words by what people write.
struct Words(BTreeMap<String, String>);

impl Words {
    fn read(dag: &Path, file: &str, column: &str) -> Self {
        let mut words = BTreeMap::new();
        for row in rows_of(&dag.join("words").join(file)) {
            for written in [column, "shouted", "alias"] {
                words.insert(row[written].clone(), row[column].clone());
            }
        }
        Self(words)
    }

    fn of(&self, text: &str) -> String {
        let known = self.0.get(text.trim());
        known.unwrap_or_else(|| panic!("`{text}`")).clone()
    }
}

/// A date as it is written at `site`, or in one of the two ways that everybody understands.
fn date(text: &str, site: &str) -> Option<NaiveDate> {
    let local = match site {
        "Lisbon" => "%d/%m/%Y",
        "Boston" => "%m/%d/%Y",
        _ => "%Y-%m-%d",
    };
    [local, "%Y-%m-%d", "%d %b %Y"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(text.trim(), format).ok())
}

/// Cents.
fn money(text: &str) -> Option<i128> {
    let negative = text.contains(['-', '(']);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(digits.is_empty() || text.contains('.'), "cents are written");
    let cents: i128 = digits.parse().ok()?;
    Some(if negative { -cents } else { cents })
}

fn key(text: &str) -> String {
    text.trim().to_uppercase()
}

fn name(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sorts the rows of a file: `wrong` counts what is wrong with one, and the sound ones are kept once by `id`.
fn sort<T>(
    file: &Path,
    id: impl Fn(&Row) -> String,
    read: impl Fn(&Row) -> Result<T, usize>,
) -> (BTreeMap<String, T>, Fate) {
    let (mut kept, mut fate) = (BTreeMap::new(), Fate::default());
    let mut seen: BTreeSet<Row> = BTreeSet::new();
    for (line, row) in (2..).zip(rows_of(file)) {
        fate.read += 1;
        match read(&row) {
            Err(wrong) => drop(fate.rejected.insert(line, wrong)),
            Ok(_) if kept.contains_key(&id(&row)) => {
                assert!(seen.contains(&row), "line {line} repeats another");
                fate.duplicate += 1;
            }
            Ok(sound) => {
                kept.insert(id(&row), sound);
                seen.insert(row);
            }
        }
    }
    (kept, fate)
}

fn wrong<T>(reasons: &[bool], sound: impl FnOnce() -> T) -> Result<T, usize> {
    match reasons.iter().filter(|wrong| **wrong).count() {
        0 => Ok(sound()),
        wrong => Err(wrong),
    }
}

impl World {
    /// What is in the files in `folder`; `dag` has the words they were made of.
    pub fn read(dag: &Path, folder: &Path) -> Self {
        let countries = Words::read(dag, "countries.csv", "country");
        let departments = Words::read(dag, "departments.csv", "department");
        let kinds = Words::read(dag, "treatments.csv", "type");
        let insurers = Words::read(dag, "insurers.csv", "insurer");
        let (patients, of_patients) = sort(
            &folder.join("patients.csv"),
            |row| key(&row["patient_id"]),
            |row| {
                let born = date(&row["birth_date"], &row["site"]);
                let gender = match row["gender"].as_str() {
                    "F" | "Female" => Some("Female"),
                    "M" | "Male" => Some("Male"),
                    "" => Some("Unknown"),
                    _ => None,
                };
                wrong(&[born.is_none(), gender.is_none()], || Patient {
                    id: key(&row["patient_id"]),
                    name: name(&row["patient_name"]),
                    gender: gender.expect("known").to_owned(),
                    born: born.expect("a date"),
                    country: countries.of(&row["country"]),
                })
            },
        );
        let (doctors, of_doctors) = sort(
            &folder.join("doctors.csv"),
            |row| key(&row["doctor_id"]),
            |row| {
                let years = row["years_experience"].split(' ').next();
                Ok(Doctor {
                    id: key(&row["doctor_id"]),
                    name: name(&row["doctor_name"]),
                    department: departments.of(&row["department"]),
                    years: years.and_then(|text| text.parse().ok()).expect("years"),
                })
            },
        );
        let (visits, of_visits) = sort(
            &folder.join("visits.csv"),
            |row| key(&row["visit_id"]),
            |row| {
                let day = date(&row["visit_date"], &row["site"]);
                let born = date(&row["patient_birth_date"], &row["site"]).expect("a date");
                let reasons = [
                    day.is_none(),
                    day.is_some_and(|day| born > day),
                    !patients.contains_key(&key(&row["patient_id"])),
                    !doctors.contains_key(&key(&row["doctor_id"])),
                ];
                wrong(&reasons, || Visit {
                    id: key(&row["visit_id"]),
                    patient: key(&row["patient_id"]),
                    doctor: key(&row["doctor_id"]),
                    department: departments.of(&row["department"]),
                    day: day.expect("a date"),
                    diagnosis: match row["diagnosis_code"].as_str() {
                        "" => "none".to_owned(),
                        code => code.to_owned(),
                    },
                    minutes: row["minutes"].parse().expect("minutes"),
                    follow_up: ["YES", "Y", "TRUE"]
                        .contains(&key(&row["follow_up_required"]).as_str()),
                })
            },
        );
        let (treatments, of_treatments) = sort(
            &folder.join("treatments.csv"),
            |row| key(&row["treatment_id"]),
            |row| {
                let cost = money(&row["treatment_cost"]);
                let paid = money(&row["amount_paid"]).expect("money");
                let reasons = [
                    !visits.contains_key(&key(&row["visit_id"])),
                    cost.is_none(),
                    cost.is_some_and(|cost| cost < 0),
                    cost.is_some_and(|cost| cost < paid),
                ];
                wrong(&reasons, || Treatment {
                    id: key(&row["treatment_id"]),
                    visit: key(&row["visit_id"]),
                    kind: kinds.of(&row["treatment_type"]),
                    cost: cost.expect("money"),
                    paid,
                    insurer: match row["insurance_provider"].trim() {
                        "" => "Self-pay".to_owned(),
                        text => insurers.of(text),
                    },
                })
            },
        );
        let fates = [
            ("patients", of_patients),
            ("doctors", of_doctors),
            ("visits", of_visits),
            ("treatments", of_treatments),
        ];
        Self {
            patients,
            doctors,
            visits,
            treatments,
            fates: fates.into(),
        }
    }
}

fn rows_of(path: &Path) -> Vec<Row> {
    csv_rows(std::fs::File::open(path).expect("a file"))
}
