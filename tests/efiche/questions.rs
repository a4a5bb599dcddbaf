//! The twelve questions, answered in plain Rust from the operational tables as `galen export` writes them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, Weekday};

/// A row of an export by column; null is empty.
pub type Row = BTreeMap<String, String>;
/// Rows as text: the columns of [`ANSWERS`] in their order.
pub type Rows = Vec<Vec<String>>;

/// Each question's model, and the columns that are compared. Those that name a row come first.
pub const ANSWERS: [(&str, &[&str]); 12] = [
    (
        "monthly_trend",
        &[
            "source",
            "year_month",
            "encounters",
            "patients",
            "procedures",
            "change",
        ],
    ),
    (
        "top_diagnoses_by_age_group",
        &[
            "source",
            "age_group",
            "rank",
            "code_system",
            "code",
            "patients",
            "diagnoses",
        ],
    ),
    (
        "modality_volume",
        &[
            "source",
            "modality",
            "procedures",
            "patients",
            "procedures_per_patient",
        ],
    ),
    (
        "averages",
        &[
            "source",
            "encounters",
            "patients",
            "encounters_per_patient",
            "procedures_per_patient",
            "diagnoses_per_patient",
            "procedures_per_encounter",
            "diagnoses_per_encounter",
        ],
    ),
    (
        "weekend_weekday",
        &[
            "source",
            "day_type",
            "encounters",
            "days",
            "encounters_per_day",
            "procedures_per_encounter",
        ],
    ),
    (
        "demographics",
        &["source", "age_group", "sex", "patients", "percentage"],
    ),
    (
        "facility_volume",
        &[
            "source",
            "name",
            "encounters",
            "patients",
            "procedures",
            "rank",
        ],
    ),
    (
        "high_use_patients",
        &[
            "source",
            "patient_id",
            "encounters",
            "procedures",
            "diagnoses",
            "first_day",
            "last_day",
        ],
    ),
    (
        "diagnosis_pairs",
        &[
            "source",
            "first_code_system",
            "first_code",
            "second_code_system",
            "second_code",
            "encounters",
        ],
    ),
    (
        "quarterly_growth",
        &[
            "source",
            "year",
            "quarter",
            "encounters",
            "previous",
            "growth_pct",
        ],
    ),
    (
        "report_coverage",
        &[
            "source",
            "year_month",
            "encounters",
            "with_report",
            "coverage_pct",
        ],
    ),
    (
        "encounter_types",
        &[
            "source",
            "encounter_type",
            "encounters",
            "patients",
            "percentage",
        ],
    ),
];

/// The operational tables.
pub struct World {
    pub patients: Vec<Row>,
    pub facilities: Vec<Row>,
    pub encounters: Vec<Row>,
    pub procedures: Vec<Row>,
    pub diagnoses: Vec<Row>,
    pub codes: Vec<Row>,
    pub reports: Vec<Row>,
}

/// What belongs to an encounter.
#[derive(Default)]
struct Parts<'a> {
    procedures: Vec<&'a Row>,
    diagnoses: Vec<&'a Row>,
    reported: bool,
}

fn text(parts: &[&dyn ToString]) -> Vec<String> {
    parts.iter().map(|part| part.to_string()).collect()
}

fn ratio(a: usize, b: usize) -> String {
    match b {
        0 => String::new(),
        _ => format!("{:.4}", a as f64 / b as f64),
    }
}

fn percent(a: f64, b: usize) -> String {
    match b {
        0 => String::new(),
        _ => format!("{:.4}", 100.0 * a / b as f64),
    }
}

fn or_unknown(text: &str) -> &str {
    match text {
        "" => "Unknown",
        text => text,
    }
}

fn age_group(age: &str) -> &'static str {
    match age.parse::<u32>() {
        Ok(0..=17) => "0-17",
        Ok(18..=30) => "18-30",
        Ok(31..=50) => "31-50",
        Ok(51..=70) => "51-70",
        Ok(_) => "71+",
        Err(_) => "Unknown",
    }
}

fn day(encounter: &Row) -> Option<NaiveDate> {
    let date = &encounter["encounter_date"];
    (!date.is_empty()).then(|| date.parse().expect("a date"))
}

fn distinct<'a>(rows: &[&'a Row], column: &str) -> BTreeSet<&'a str> {
    rows.iter().map(|row| row[column].as_str()).collect()
}

type Grouped<'a, K> = BTreeMap<K, Vec<&'a Row>>;

fn group<'a, K: Ord>(
    rows: impl IntoIterator<Item = &'a Row>,
    key: impl Fn(&'a Row) -> K,
) -> Grouped<'a, K> {
    let mut groups = Grouped::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
}

impl World {
    /// The answer to each question, in no order.
    pub fn answers(&self) -> BTreeMap<&'static str, Rows> {
        let mut parts: BTreeMap<&str, Parts> = BTreeMap::new();
        for encounter in &self.encounters {
            parts.insert(&encounter["encounter_id"], Parts::default());
        }
        let missing = "a child without its encounter";
        for row in &self.procedures {
            let of = parts.get_mut(row["encounter_id"].as_str());
            of.expect(missing).procedures.push(row);
        }
        for row in &self.diagnoses {
            let of = parts.get_mut(row["encounter_id"].as_str());
            of.expect(missing).diagnoses.push(row);
        }
        for row in &self.reports {
            let of = parts.get_mut(row["encounter_id"].as_str());
            of.expect(missing).reported = true;
        }
        BTreeMap::from([
            ("monthly_trend", self.monthly_trend(&parts)),
            ("top_diagnoses_by_age_group", self.top_diagnoses()),
            ("modality_volume", self.modality_volume()),
            ("averages", self.averages(&parts)),
            ("weekend_weekday", self.weekend(&parts)),
            ("demographics", self.demographics()),
            ("facility_volume", self.facility_volume(&parts)),
            ("high_use_patients", self.high_use(&parts)),
            ("diagnosis_pairs", self.pairs(&parts)),
            ("quarterly_growth", self.growth()),
            ("report_coverage", self.coverage(&parts)),
            ("encounter_types", self.types()),
        ])
    }

    fn of_encounter(&self) -> BTreeMap<&str, &Row> {
        let encounters = self.encounters.iter();
        encounters
            .map(|row| (row["encounter_id"].as_str(), row))
            .collect()
    }

    fn by_source(&self) -> Grouped<'_, &str> {
        group(&self.encounters, |row| row["source"].as_str())
    }

    fn monthly_trend(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let mut rows = Rows::new();
        for (source, encounters) in self.by_source() {
            let dated = encounters.into_iter().filter(|row| day(row).is_some());
            let months = group(dated, |row| {
                let day = day(row).expect("a date");
                day.year() * 12 + day.month0() as i32
            });
            let (Some(first), Some(last)) = (months.keys().next(), months.keys().last()) else {
                continue;
            };
            let mut before: Option<usize> = None;
            for month in *first..=*last {
                let those = months.get(&month).cloned().unwrap_or_default();
                let procedures = procedures(&those, parts);
                let change = before.map(|n| (those.len() as i64 - n as i64).to_string());
                let name = format!("{}-{:02}", month / 12, month % 12 + 1);
                let patients = distinct(&those, "patient_id").len();
                rows.push(text(&[
                    &source,
                    &name,
                    &those.len(),
                    &patients,
                    &procedures,
                    &change.unwrap_or_default(),
                ]));
                before = Some(those.len());
            }
        }
        rows
    }

    fn top_diagnoses(&self) -> Rows {
        let encounters = self.of_encounter();
        let age: BTreeMap<&str, &str> = self
            .patients
            .iter()
            .map(|row| (row["patient_id"].as_str(), row["age"].as_str()))
            .collect();
        let code: BTreeMap<&str, &Row> = self
            .codes
            .iter()
            .map(|row| (row["diagnosis_code_id"].as_str(), row))
            .collect();
        let patient = |row: &Row| encounters[row["encounter_id"].as_str()]["patient_id"].as_str();
        let groups = group(&self.diagnoses, |row| {
            (row["source"].as_str(), age_group(age[patient(row)]))
        });
        let mut rows = Rows::new();
        for ((source, age_group), diagnoses) in groups {
            let mut ranked: Vec<_> = group(diagnoses, |row| row["diagnosis_code_id"].as_str())
                .into_iter()
                .map(|(id, those)| {
                    let patients: BTreeSet<&str> = those.iter().map(|row| patient(row)).collect();
                    let code = code[id];
                    let code = (code["code_system"].as_str(), code["code"].as_str());
                    (std::cmp::Reverse(patients.len()), code, those.len())
                })
                .collect();
            ranked.sort();
            for (rank, (patients, (system, code), count)) in ranked.iter().take(10).enumerate() {
                rows.push(text(&[
                    &source,
                    &age_group,
                    &(rank + 1),
                    system,
                    code,
                    &patients.0,
                    count,
                ]));
            }
        }
        rows
    }

    fn modality_volume(&self) -> Rows {
        let encounters = self.of_encounter();
        let groups = group(&self.procedures, |row| {
            (row["source"].as_str(), or_unknown(&row["modality"]))
        });
        groups
            .into_iter()
            .map(|((source, modality), those)| {
                let of = those
                    .iter()
                    .map(|row| encounters[row["encounter_id"].as_str()]["patient_id"].as_str());
                let patients = of.collect::<BTreeSet<&str>>().len();
                let each = ratio(those.len(), patients);
                text(&[&source, &modality, &those.len(), &patients, &each])
            })
            .collect()
    }

    fn averages(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        self.by_source()
            .into_iter()
            .map(|(source, those)| {
                let patients = distinct(&those, "patient_id").len();
                let (procedures, diagnoses) = (procedures(&those, parts), diagnoses(&those, parts));
                let encounters = those.len();
                text(&[
                    &source,
                    &encounters,
                    &patients,
                    &ratio(encounters, patients),
                    &ratio(procedures, patients),
                    &ratio(diagnoses, patients),
                    &ratio(procedures, encounters),
                    &ratio(diagnoses, encounters),
                ])
            })
            .collect()
    }

    fn weekend(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let groups = group(&self.encounters, |row| {
            let kind = match day(row).map(|day| day.weekday()) {
                None => "Unknown",
                Some(Weekday::Sat | Weekday::Sun) => "weekend",
                Some(_) => "weekday",
            };
            (row["source"].as_str(), kind)
        });
        groups
            .into_iter()
            .map(|((source, kind), those)| {
                let days: BTreeSet<NaiveDate> = those.iter().filter_map(|row| day(row)).collect();
                let each = ratio(procedures(&those, parts), those.len());
                let a_day = ratio(those.len(), days.len());
                text(&[&source, &kind, &those.len(), &days.len(), &a_day, &each])
            })
            .collect()
    }

    fn demographics(&self) -> Rows {
        let all = group(&self.patients, |row| row["source"].as_str());
        let groups = group(&self.patients, |row| {
            let sex = or_unknown(&row["sex"]);
            (row["source"].as_str(), age_group(&row["age"]), sex)
        });
        groups
            .into_iter()
            .map(|((source, age_group, sex), those)| {
                let part = percent(those.len() as f64, all[source].len());
                text(&[&source, &age_group, &sex, &those.len(), &part])
            })
            .collect()
    }

    fn facility_volume(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let groups = group(&self.encounters, |row| {
            (row["source"].as_str(), row["facility_id"].as_str())
        });
        let busier = |source: &str, than: usize| {
            let all = groups.iter();
            all.filter(|((of, _), those)| *of == source && those.len() > than)
                .count()
        };
        groups
            .iter()
            .map(|((source, facility), those)| {
                let mut all = self.facilities.iter();
                let facility = all.find(|row| row["facility_id"] == *facility);
                let name = &facility.expect("a facility")["name"];
                let patients = distinct(those, "patient_id").len();
                let rank = busier(source, those.len()) + 1;
                let procedures = procedures(those, parts);
                text(&[source, name, &those.len(), &patients, &procedures, &rank])
            })
            .collect()
    }

    fn high_use(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let groups = group(&self.encounters, |row| row["patient_id"].as_str());
        groups
            .into_iter()
            .filter(|(_, those)| those.len() >= 5)
            .map(|(patient, those)| {
                let days: BTreeSet<NaiveDate> = those.iter().filter_map(|row| day(row)).collect();
                let shown = |day: Option<&NaiveDate>| day.map(ToString::to_string);
                text(&[
                    &those[0]["source"],
                    &patient,
                    &those.len(),
                    &procedures(&those, parts),
                    &diagnoses(&those, parts),
                    &shown(days.first()).unwrap_or_default(),
                    &shown(days.last()).unwrap_or_default(),
                ])
            })
            .collect()
    }

    fn pairs(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let code: BTreeMap<&str, (&str, &str)> = self
            .codes
            .iter()
            .map(|row| {
                let code = (row["code_system"].as_str(), row["code"].as_str());
                (row["diagnosis_code_id"].as_str(), code)
            })
            .collect();
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for encounter in &self.encounters {
            let diagnoses = &parts[encounter["encounter_id"].as_str()].diagnoses;
            let codes: BTreeSet<_> = diagnoses
                .iter()
                .map(|row| code[row["diagnosis_code_id"].as_str()])
                .collect();
            for a in &codes {
                for b in codes.iter().filter(|b| *b > a) {
                    *counts
                        .entry((encounter["source"].as_str(), *a, *b))
                        .or_default() += 1;
                }
            }
        }
        counts
            .into_iter()
            .filter(|(_, count)| *count >= 10)
            .map(|((source, a, b), count)| text(&[&source, &a.0, &a.1, &b.0, &b.1, &count]))
            .collect()
    }

    fn growth(&self) -> Rows {
        let mut rows = Rows::new();
        for (source, encounters) in self.by_source() {
            let dated = encounters.into_iter().filter(|row| day(row).is_some());
            let quarters = group(dated, |row| {
                let day = day(row).expect("a date");
                day.year() * 4 + day.month0() as i32 / 3
            });
            let (Some(first), Some(last)) = (quarters.keys().next(), quarters.keys().last()) else {
                continue;
            };
            let mut before: Option<usize> = None;
            for quarter in *first..=*last {
                let count = quarters.get(&quarter).map_or(0, Vec::len);
                let growth = before.map(|n| percent(count as f64 - n as f64, n));
                let previous = before.map(|n| n.to_string());
                rows.push(text(&[
                    &source,
                    &(quarter / 4),
                    &(quarter % 4 + 1),
                    &count,
                    &previous.unwrap_or_default(),
                    &growth.unwrap_or_default(),
                ]));
                before = Some(count);
            }
        }
        rows
    }

    fn coverage(&self, parts: &BTreeMap<&str, Parts>) -> Rows {
        let groups = group(&self.encounters, |row| {
            let month = day(row).map(|day| day.format("%Y-%m").to_string());
            (
                row["source"].as_str(),
                month.unwrap_or_else(|| "Unknown".to_owned()),
            )
        });
        groups
            .into_iter()
            .map(|((source, month), those)| {
                let reported = those
                    .iter()
                    .filter(|row| parts[row["encounter_id"].as_str()].reported);
                let reported = reported.count();
                let part = percent(reported as f64, those.len());
                text(&[&source, &month, &those.len(), &reported, &part])
            })
            .collect()
    }

    fn types(&self) -> Rows {
        let all = self.by_source();
        let groups = group(&self.encounters, |row| {
            (row["source"].as_str(), row["type"].as_str())
        });
        groups
            .into_iter()
            .map(|((source, kind), those)| {
                let patients = distinct(&those, "patient_id").len();
                let part = percent(those.len() as f64, all[source].len());
                text(&[&source, &kind, &those.len(), &patients, &part])
            })
            .collect()
    }
}

fn procedures(encounters: &[&Row], parts: &BTreeMap<&str, Parts>) -> usize {
    let of = |row: &&Row| parts[row["encounter_id"].as_str()].procedures.len();
    encounters.iter().map(of).sum()
}

fn diagnoses(encounters: &[&Row], parts: &BTreeMap<&str, Parts>) -> usize {
    let of = |row: &&Row| parts[row["encounter_id"].as_str()].diagnoses.len();
    encounters.iter().map(of).sum()
}
