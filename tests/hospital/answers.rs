//! The figures of gold and marts, worked out from the files in whole cents: no SQL, no float.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::world::{Patient, Treatment, Visit, World};

/// A view, its columns, and its rows in any order.
pub struct Answer {
    pub view: &'static str,
    pub columns: &'static str,
    pub rows: Vec<Vec<String>>,
}

/// A treatment with its visit and patient.
struct Line<'w> {
    treatment: &'w Treatment,
    visit: &'w Visit,
    patient: &'w Patient,
}

/// `part / whole` with `digits` digits, rounded half away from zero; nothing when there is no whole.
fn ratio(part: i128, whole: i128, digits: u32) -> String {
    if whole == 0 {
        return String::new();
    }
    let scaled = 10_i128.pow(digits) * part;
    let half = if scaled < 0 { -whole } else { whole };
    decimal((2 * scaled + half) / (2 * whole), digits)
}

fn decimal(units: i128, digits: u32) -> String {
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.abs());
    let one = 10_i128.pow(digits);
    let width = digits as usize;
    format!("{sign}{}.{:0width$}", units / one, units % one)
}

fn money(cents: i128) -> String {
    decimal(cents, 2)
}

/// The mean of cents.
fn mean(cents: i128, count: usize) -> String {
    ratio(cents, 100 * count as i128, 2)
}

fn years(from: NaiveDate, to: NaiveDate) -> i32 {
    let reached = (to.month(), to.day()) >= (from.month(), from.day());
    to.year() - from.year() - i32::from(!reached)
}

fn age_group(age: i32) -> &'static str {
    match age {
        ..=17 => "0-17",
        18..=30 => "18-30",
        31..=50 => "31-50",
        51..=70 => "51-70",
        _ => "71+",
    }
}

fn week(day: NaiveDate) -> (i32, u32) {
    (day.iso_week().year(), day.iso_week().week())
}

fn group<'i, T, K: Ord>(
    items: impl IntoIterator<Item = &'i T>,
    key: impl Fn(&'i T) -> K,
) -> BTreeMap<K, Vec<&'i T>> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for item in items {
        groups.entry(key(item)).or_default().push(item);
    }
    groups
}

fn count<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<BTreeSet<T>>().len()
}

fn cost(lines: &[&Line<'_>]) -> i128 {
    lines.iter().map(|line| line.treatment.cost).sum()
}

macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

impl World {
    /// Every view of gold and every mart.
    pub fn answers(&self) -> Vec<Answer> {
        let visit = |id: &str| &self.visits[id];
        let lines: Vec<Line<'_>> = self
            .treatments
            .values()
            .map(|treatment| Line {
                treatment,
                visit: visit(&treatment.visit),
                patient: &self.patients[&visit(&treatment.visit).patient],
            })
            .collect();
        let mut answers = self.gold(&lines);
        answers.extend(self.clinical());
        answers.extend(self.operational(&lines));
        answers.extend(self.finance(&lines));
        answers
    }

    fn newest(&self) -> NaiveDate {
        let days = self.visits.values().map(|visit| visit.day);
        days.max().expect("a visit")
    }

    fn age(&self, patient: &Patient) -> i32 {
        years(patient.born, self.newest())
    }

    fn gold(&self, lines: &[Line<'_>]) -> Vec<Answer> {
        let all = cost(&lines.iter().collect::<Vec<_>>());
        let by_department = group(lines, |line| line.visit.department.as_str());
        let by_doctor = group(lines, |line| line.visit.doctor.as_str());
        let by_patient = group(lines, |line| line.visit.patient.as_str());
        let by_kind = group(lines, |line| line.treatment.kind.as_str());
        let by_insurer = group(lines, |line| line.treatment.insurer.as_str());
        let by_country = group(lines, |line| line.patient.country.as_str());
        let by_age = group(lines, |line| age_group(self.age(line.patient)));
        let by_week = group(lines, |line| week(line.visit.day));
        let visits_of_doctor = group(self.visits.values(), |visit| visit.doctor.as_str());
        let visits_of_patient = group(self.visits.values(), |visit| visit.patient.as_str());
        let none: Vec<&Line<'_>> = Vec::new();
        let no_visit: Vec<&Visit> = Vec::new();
        let asked = |visits: &[&Visit]| visits.iter().filter(|visit| visit.follow_up).count();

        let mut top: Vec<(i128, &str, usize)> = by_patient
            .iter()
            .map(|(id, lines)| (-cost(lines), *id, lines.len()))
            .collect();
        top.sort_unstable();

        vec![
            Answer {
                view: "gold.department_treatment_summary",
                columns: "department total_treatments total_cost avg_cost patients doctors",
                rows: by_department
                    .iter()
                    .map(|(department, lines)| {
                        row![
                            department,
                            lines.len(),
                            money(cost(lines)),
                            mean(cost(lines), lines.len()),
                            count(lines.iter().map(|line| &line.visit.patient)),
                            count(lines.iter().map(|line| &line.visit.doctor)),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.doctor_performance",
                columns: "doctor_id doctor_name department total_cost num_treatments avg_cost num_visits",
                rows: self
                    .doctors
                    .values()
                    .map(|doctor| {
                        let lines = by_doctor.get(doctor.id.as_str()).unwrap_or(&none);
                        let visits = visits_of_doctor.get(doctor.id.as_str());
                        row![
                            doctor.id,
                            doctor.name,
                            doctor.department,
                            money(cost(lines)),
                            lines.len(),
                            mean(cost(lines), lines.len()),
                            visits.map_or(0, Vec::len),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.patient_summary",
                columns: "patient_id patient_name total_visits total_cost num_treatments follow_ups",
                rows: self
                    .patients
                    .values()
                    .map(|patient| {
                        let id = patient.id.as_str();
                        let lines = by_patient.get(id).unwrap_or(&none);
                        let visits = visits_of_patient.get(id).unwrap_or(&no_visit);
                        row![
                            id,
                            patient.name,
                            visits.len(),
                            money(cost(lines)),
                            lines.len(),
                            asked(visits),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.treatment_type_summary",
                columns: "treatment_type total_cost avg_cost cost_pct",
                rows: by_kind
                    .iter()
                    .map(|(kind, lines)| {
                        row![
                            kind,
                            money(cost(lines)),
                            mean(cost(lines), lines.len()),
                            ratio(100 * cost(lines), all, 4),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.weekly_visit_trends",
                columns: "iso_year iso_week num_visits patients treatments total_cost",
                rows: group(self.visits.values(), |visit| week(visit.day))
                    .iter()
                    .map(|(week, visits)| {
                        let lines = by_week.get(week).unwrap_or(&none);
                        row![
                            week.0,
                            week.1,
                            visits.len(),
                            count(visits.iter().map(|visit| &visit.patient)),
                            lines.len(),
                            money(cost(lines)),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.insurance_summary",
                columns: "insurance_provider total_cost coverage_rate avg_cost",
                rows: by_insurer
                    .iter()
                    .map(|(insurer, its)| {
                        row![
                            insurer,
                            money(cost(its)),
                            ratio(its.len() as i128, lines.len() as i128, 4),
                            mean(cost(its), its.len()),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.follow_up_summary",
                columns: "department follow_up_rate count",
                rows: group(self.visits.values(), |visit| visit.department.as_str())
                    .iter()
                    .map(|(department, visits)| {
                        let asked = asked(visits);
                        let rate = ratio(asked as i128, visits.len() as i128, 4);
                        row![department, rate, asked]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.countrywise_cost_summary",
                columns: "country total_cost avg_cost visits",
                rows: group(self.patients.values(), |patient| patient.country.as_str())
                    .iter()
                    .map(|(country, patients)| {
                        let lines = by_country.get(country).unwrap_or(&none);
                        let visits = patients.iter();
                        let visits = visits
                            .filter_map(|patient| visits_of_patient.get(patient.id.as_str()))
                            .map(Vec::len);
                        row![
                            country,
                            money(cost(lines)),
                            mean(cost(lines), lines.len()),
                            visits.sum::<usize>(),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.revenue_by_age_group",
                columns: "age_group total_cost avg_cost",
                rows: by_age
                    .iter()
                    .map(|(group, lines)| {
                        row![group, money(cost(lines)), mean(cost(lines), lines.len())]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.top_10_expensive_patients",
                columns: "place patient_id patient_name total_cost treatment_count",
                rows: (1..)
                    .zip(top.iter().take(10))
                    .map(|(place, (cost, id, treatments)): (usize, _)| {
                        row![place, id, self.patients[*id].name, money(-cost), treatments]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.department_weekly_kpis",
                columns: "department iso_year iso_week total_cost avg_cost treatments",
                rows: group(lines, |line| {
                    (line.visit.department.as_str(), week(line.visit.day))
                })
                .iter()
                .map(|((department, week), lines)| {
                    row![
                        department,
                        week.0,
                        week.1,
                        money(cost(lines)),
                        mean(cost(lines), lines.len()),
                        lines.len(),
                    ]
                })
                .collect(),
            },
            Answer {
                view: "gold.doctor_follow_up_ratio",
                columns: "doctor_id doctor_name follow_up_rate count",
                rows: self
                    .doctors
                    .values()
                    .map(|doctor| {
                        let visits = visits_of_doctor.get(doctor.id.as_str());
                        let visits = visits.unwrap_or(&no_visit);
                        let rate = ratio(asked(visits) as i128, visits.len() as i128, 4);
                        row![doctor.id, doctor.name, rate, asked(visits)]
                    })
                    .collect(),
            },
            Answer {
                view: "gold.treatment_distribution",
                columns: "treatment_type treatments total min max avg median p95",
                rows: by_kind
                    .iter()
                    .map(|(kind, lines)| {
                        let mut costs: Vec<i128> =
                            lines.iter().map(|line| line.treatment.cost).collect();
                        costs.sort_unstable();
                        let n = costs.len();
                        let middle = costs[(n - 1) / 2] + costs[n / 2];
                        row![
                            kind,
                            n,
                            money(cost(lines)),
                            money(costs[0]),
                            money(costs[n - 1]),
                            mean(cost(lines), n),
                            mean(middle, 2),
                            money(costs[(95 * n).div_ceil(100) - 1]),
                        ]
                    })
                    .collect(),
            },
        ]
    }

    /// The days from each visit to the next one of its patient, among those that `same` takes for one series.
    fn waits<'w, K: Ord>(&'w self, same: impl Fn(&'w Visit) -> K) -> BTreeMap<&'w str, i64> {
        let mut waits = BTreeMap::new();
        for mut visits in group(self.visits.values(), same).into_values() {
            visits.sort_by_key(|visit| (visit.day, visit.id.as_str()));
            for pair in visits.windows(2) {
                waits.insert(pair[0].id.as_str(), (pair[1].day - pair[0].day).num_days());
            }
        }
        waits
    }

    fn clinical(&self) -> Vec<Answer> {
        let by_department = group(self.visits.values(), |visit| visit.department.as_str());
        let anywhere = self.waits(|visit| &visit.patient);
        let there = self.waits(|visit| (&visit.patient, &visit.department));
        let within = |waits: &BTreeMap<&str, i64>, visit: &Visit, most: i64| {
            waits
                .get(visit.id.as_str())
                .is_some_and(|days| *days <= most)
        };
        let last = self.newest() - TimeDelta::days(30);
        let mut diagnoses = Vec::new();
        for (department, visits) in &by_department {
            let mut counted: Vec<(isize, &str, usize)> =
                group(visits.iter().copied(), |visit| visit.diagnosis.as_str())
                    .into_iter()
                    .map(|(code, those)| {
                        let patients = count(those.iter().map(|visit| &visit.patient));
                        (-(those.len() as isize), code, patients)
                    })
                    .collect();
            counted.sort_unstable();
            for (place, (n, code, patients)) in (1..).zip(counted) {
                let part = ratio(-100 * n as i128, visits.len() as i128, 2);
                diagnoses.push(row![department, place, code, -n, patients, part]);
            }
        }
        vec![
            Answer {
                view: "marts.clinical_caseload",
                columns: "department visits patients visits_per_patient avg_age",
                rows: by_department
                    .iter()
                    .map(|(department, visits)| {
                        let patients = count(visits.iter().map(|visit| &visit.patient));
                        let ages = visits.iter().map(|visit| {
                            i128::from(years(self.patients[&visit.patient].born, visit.day))
                        });
                        row![
                            department,
                            visits.len(),
                            patients,
                            ratio(visits.len() as i128, patients as i128, 2),
                            ratio(ages.sum(), visits.len() as i128, 1),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.clinical_diagnoses",
                columns: "department place diagnosis_code visits patients visit_pct",
                rows: diagnoses,
            },
            Answer {
                view: "marts.clinical_follow_up",
                columns: "department follow_ups_required follow_up_rate follow_ups_kept kept_rate",
                rows: by_department
                    .iter()
                    .map(|(department, visits)| {
                        let asked: Vec<_> = visits.iter().filter(|visit| visit.follow_up).collect();
                        let kept = asked.iter().filter(|visit| within(&there, visit, 90));
                        let kept = kept.count() as i128;
                        row![
                            department,
                            asked.len(),
                            ratio(asked.len() as i128, visits.len() as i128, 4),
                            kept,
                            ratio(kept, asked.len() as i128, 4),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.clinical_readmission",
                columns: "department visits_followed readmitted_30d readmission_rate",
                rows: by_department
                    .iter()
                    .map(|(department, visits)| {
                        let followed: Vec<_> =
                            visits.iter().filter(|visit| visit.day <= last).collect();
                        let back = followed.iter().filter(|visit| within(&anywhere, visit, 30));
                        let back = back.count() as i128;
                        let rate = ratio(back, followed.len() as i128, 4);
                        row![department, followed.len(), back, rate]
                    })
                    .collect(),
            },
        ]
    }

    fn operational(&self, lines: &[Line<'_>]) -> Vec<Answer> {
        let there = self.waits(|visit| (&visit.patient, &visit.department));
        let visits_of_doctor = group(self.visits.values(), |visit| visit.doctor.as_str());
        let minutes = |visits: &[&Visit]| visits.iter().map(|visit| visit.minutes).sum::<i128>();
        let costs = group(lines, |line| week(line.visit.day));
        let cost_of = |week: &(i32, u32)| money(costs.get(week).map_or(0, |lines| cost(lines)));
        let weeks = group(self.visits.values(), |visit| week(visit.day));
        vec![
            Answer {
                view: "marts.operational_daily_visits",
                columns: "visit_date department visits patients doctors minutes",
                rows: group(self.visits.values(), |visit| (visit.day, &visit.department))
                    .iter()
                    .map(|((day, department), visits)| {
                        row![
                            day,
                            department,
                            visits.len(),
                            count(visits.iter().map(|visit| &visit.patient)),
                            count(visits.iter().map(|visit| &visit.doctor)),
                            minutes(visits),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.operational_follow_up_waiting",
                columns: "department follow_ups_required seen_again avg_waiting_days longest_waiting_days",
                rows: group(
                    self.visits.values().filter(|visit| visit.follow_up),
                    |visit| visit.department.as_str(),
                )
                .iter()
                .map(|(department, visits)| {
                    let days: Vec<i64> = visits
                        .iter()
                        .filter_map(|visit| there.get(visit.id.as_str()).copied())
                        .collect();
                    let sum: i64 = days.iter().sum();
                    let longest = days.iter().max().map(ToString::to_string);
                    row![
                        department,
                        visits.len(),
                        days.len(),
                        ratio(sum.into(), days.len() as i128, 1),
                        longest.unwrap_or_default(),
                    ]
                })
                .collect(),
            },
            Answer {
                view: "marts.operational_doctor_utilization",
                columns: "doctor_id doctor_name department visits active_days minutes utilization_rate",
                rows: self
                    .doctors
                    .values()
                    .map(|doctor| {
                        let visits = visits_of_doctor.get(doctor.id.as_str());
                        let visits = visits.cloned().unwrap_or_default();
                        let days = count(visits.iter().map(|visit| visit.day));
                        row![
                            doctor.id,
                            doctor.name,
                            doctor.department,
                            visits.len(),
                            days,
                            minutes(&visits),
                            ratio(minutes(&visits), 480 * days as i128, 4),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.operational_week_over_week",
                columns: "iso_year iso_week starts_on num_visits num_visits_before visits_change_pct total_cost total_cost_before",
                rows: weeks
                    .iter()
                    .map(|(week_of, visits)| {
                        let monday = visits[0].day.week(chrono::Weekday::Mon).first_day();
                        let before = week(monday - TimeDelta::days(7));
                        let n = visits.len() as i128;
                        let then = weeks.get(&before).map(|visits| visits.len() as i128);
                        row![
                            week_of.0,
                            week_of.1,
                            monday,
                            n,
                            then.map(|then| then.to_string()).unwrap_or_default(),
                            ratio(100 * (n - then.unwrap_or(0)), then.unwrap_or(0), 2),
                            cost_of(week_of),
                            then.map(|_| cost_of(&before)).unwrap_or_default(),
                        ]
                    })
                    .collect(),
            },
        ]
    }

    fn finance(&self, lines: &[Line<'_>]) -> Vec<Answer> {
        let all = cost(&lines.iter().collect::<Vec<_>>());
        let part = |lines: &[&Line<'_>]| ratio(100 * cost(lines), all, 4);
        let paid = |lines: &[&Line<'_>]| lines.iter().map(|line| line.treatment.paid).sum::<i128>();
        let by_country = group(lines, |line| line.patient.country.as_str());
        let none = Vec::new();
        vec![
            Answer {
                view: "marts.finance_revenue_by_department",
                columns: "department revenue revenue_pct",
                rows: group(lines, |line| line.visit.department.as_str())
                    .iter()
                    .map(|(key, lines)| row![key, money(cost(lines)), part(lines)])
                    .collect(),
            },
            Answer {
                view: "marts.finance_revenue_by_insurer",
                columns: "insurance_provider revenue revenue_pct",
                rows: group(lines, |line| line.treatment.insurer.as_str())
                    .iter()
                    .map(|(key, lines)| row![key, money(cost(lines)), part(lines)])
                    .collect(),
            },
            Answer {
                view: "marts.finance_revenue_by_age_group",
                columns: "age_group revenue revenue_pct",
                rows: group(lines, |line| age_group(self.age(line.patient)))
                    .iter()
                    .map(|(key, lines)| row![key, money(cost(lines)), part(lines)])
                    .collect(),
            },
            Answer {
                view: "marts.finance_revenue_by_country",
                columns: "country revenue revenue_pct",
                rows: group(self.patients.values(), |patient| patient.country.as_str())
                    .keys()
                    .map(|country| {
                        let lines = by_country.get(country).unwrap_or(&none);
                        row![country, money(cost(lines)), part(lines)]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.finance_revenue_by_month",
                columns: "year_month revenue avg_cost paid treatments",
                rows: group(lines, |line| line.visit.day.format("%Y-%m").to_string())
                    .iter()
                    .map(|(month, lines)| {
                        row![
                            month,
                            money(cost(lines)),
                            mean(cost(lines), lines.len()),
                            money(paid(lines)),
                            lines.len(),
                        ]
                    })
                    .collect(),
            },
            Answer {
                view: "marts.finance_outstanding",
                columns: "department insurance_provider billed paid outstanding open_treatments oldest_open outstanding_rate",
                rows: group(lines, |line| {
                    (
                        line.visit.department.as_str(),
                        line.treatment.insurer.as_str(),
                    )
                })
                .iter()
                .map(|((department, insurer), lines)| {
                    let open = || lines.iter().filter(|l| l.treatment.cost > l.treatment.paid);
                    let oldest = open().map(|line| line.visit.day.to_string()).min();
                    let owed = cost(lines) - paid(lines);
                    row![
                        department,
                        insurer,
                        money(cost(lines)),
                        money(paid(lines)),
                        money(owed),
                        open().count(),
                        oldest.unwrap_or_default(),
                        ratio(owed, cost(lines), 4),
                    ]
                })
                .collect(),
            },
        ]
    }
}
