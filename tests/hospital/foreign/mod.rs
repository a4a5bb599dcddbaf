//! Someone else's hospital: other names for everything, more tables, other habits. Its folder is a copy of `dags/hospital` in which YAML, CSV
//! and SQL were edited: what `dag/` holds, and nothing else. Core, gold and marts are those of the copied folder.

use std::path::Path;

use super::home::Home;
use super::medallion::models;
use crate::support::{TestDatabase, copy};

/// Tables by what becomes of their records: read, inserted, duplicate, quarantined.
const SUMS: [(&str, [u64; 4]); 6] = [
    ("personen", [6, 4, 1, 1]),
    ("aerzte", [3, 3, 0, 0]),
    ("stationen", [3, 3, 0, 0]),
    ("kassen", [2, 2, 0, 0]),
    ("aufnahmen", [7, 5, 0, 2]),
    ("leistungen", [10, 6, 1, 3]),
];

/// Figures worked out by hand from the files in `data/`.
const FIGURES: [(&str, &[&str]); 13] = [
    (
        "SELECT * FROM gold.department_treatment_summary ORDER BY department",
        &[
            "Chirurgie,1,5000.00,5000.00,1,1",
            "Innere Medizin,5,3420.00,684.00,3,2",
        ],
    ),
    (
        "SELECT * FROM gold.doctor_performance ORDER BY doctor_id",
        &[
            "A1,Dr. Wolf,Innere Medizin,1360.00,3,453.33,2",
            "A2,Dr. Stern,Chirurgie,5000.00,1,5000.00,1",
            "A3,Dr. Berg,Innere Medizin,2060.00,2,1030.00,2",
        ],
    ),
    (
        "SELECT * FROM gold.patient_summary ORDER BY patient_id",
        &[
            "K-001,Anna Bauer,2,1360.00,3,1",
            "K-002,Josef Gruber,1,5000.00,1,1",
            "K-003,Eva Novak,1,60.00,1,0",
            "K-005,Lea Pichler,1,2000.00,1,1",
        ],
    ),
    (
        "SELECT * FROM gold.treatment_type_summary ORDER BY treatment_type",
        &[
            "Beratung,140.00,70.00,1.6627",
            "Labor,1280.00,640.00,15.2019",
            "Operation,7000.00,3500.00,83.1354",
        ],
    ),
    (
        "SELECT * FROM gold.weekly_visit_trends ORDER BY iso_year, iso_week",
        &[
            "2025,1,1,1,2,1314.50",
            "2025,4,1,1,1,45.50",
            "2025,7,1,1,1,5000.00",
            "2025,9,1,1,1,60.00",
            "2026,1,1,1,1,2000.00",
        ],
    ),
    (
        "SELECT * FROM gold.insurance_summary ORDER BY insurance_provider",
        &[
            "SVS,5045.50,0.3333,2522.75",
            "Self-pay,60.00,0.1667,60.00",
            "ÖGK,3314.50,0.5000,1104.83",
        ],
    ),
    (
        "SELECT * FROM gold.follow_up_summary ORDER BY department",
        &["Chirurgie,1.0000,1", "Innere Medizin,0.5000,2"],
    ),
    (
        "SELECT * FROM gold.countrywise_cost_summary ORDER BY country",
        &["Slowenien,60.00,60.00,1", "Österreich,8360.00,1672.00,4"],
    ),
    (
        "SELECT * FROM gold.revenue_by_age_group ORDER BY age_group",
        &[
            "0-17,60.00,60.00",
            "18-30,2000.00,2000.00",
            "31-50,1360.00,453.33",
            "71+,5000.00,5000.00",
        ],
    ),
    (
        "SELECT * FROM gold.top_10_expensive_patients ORDER BY place",
        &[
            "1,K-002,Josef Gruber,5000.00,1",
            "2,K-005,Lea Pichler,2000.00,1",
            "3,K-001,Anna Bauer,1360.00,3",
            "4,K-003,Eva Novak,60.00,1",
        ],
    ),
    (
        "SELECT * FROM gold.department_weekly_kpis WHERE department = 'Innere Medizin' ORDER BY iso_year, iso_week",
        &[
            "Innere Medizin,2025,1,1314.50,657.25,2",
            "Innere Medizin,2025,4,45.50,45.50,1",
            "Innere Medizin,2025,9,60.00,60.00,1",
            "Innere Medizin,2026,1,2000.00,2000.00,1",
        ],
    ),
    (
        "SELECT * FROM gold.doctor_follow_up_ratio ORDER BY doctor_id",
        &[
            "A1,Dr. Wolf,0.5000,1",
            "A2,Dr. Stern,1.0000,1",
            "A3,Dr. Berg,0.5000,1",
        ],
    ),
    (
        "SELECT * FROM gold.treatment_distribution ORDER BY treatment_type",
        &[
            "Beratung,2,140.00,60.00,80.00,70.00,70.00,80.00",
            "Labor,2,1280.00,45.50,1234.50,640.00,640.00,1234.50",
            "Operation,2,7000.00,2000.00,5000.00,3500.00,3500.00,5000.00",
        ],
    ),
];

#[tokio::test]
async fn someone_elses_hospital_loads_with_yaml_csv_and_sql_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let test = TestDatabase::sqlite();
    let folder = test.home().join("dags/klinik");
    copy(&root.join("dags/hospital"), &folder);
    copy(&root.join("tests/hospital/foreign/dag"), &folder);
    copy(
        &root.join("tests/hospital/foreign/data"),
        &test.home().join("data_sample/klinik"),
    );
    only_text_was_edited(&root.join("tests/hospital/foreign/dag"));
    let home = Home::new(test, "klinik");
    // of the marts, which are not asked here, it is enough that they are sound
    let gold = models(&folder.join("models/gold")).into_iter();
    let gold = gold.map(|name| format!("+warehouse.gold.{name}"));
    let gold: Vec<String> = gold.collect();
    assert_eq!(gold.len(), FIGURES.len());
    let select = gold.join(" ");
    let sums = home.run(&["--task", &format!("{select} land_betten")]);
    for (table, [read, inserted, duplicate, quarantined]) in SUMS {
        let sum = sums[&format!("clean_{table}")];
        let found = [sum.read, sum.inserted, sum.duplicate, sum.quarantined];
        assert_eq!(found, [read, inserted, duplicate, quarantined], "{table}");
    }
    let tables = home.tables();
    for (sql, expected) in FIGURES {
        let found: Vec<String> = tables
            .rows(sql)
            .await
            .iter()
            .map(|row| row.join(","))
            .collect();
        assert_eq!(found, expected, "{sql}");
    }
    let sql = "SELECT _line, reasons FROM silver.leistungen_quarantine ORDER BY _line";
    let found: Vec<String> = tables
        .rows(sql)
        .await
        .iter()
        .map(|row| row.join(" "))
        .collect();
    assert_eq!(
        found,
        [
            r#"7 ["Fall unbekannt"]"#,
            r#"8 ["Betrag negativ","mehr bezahlt als verlangt"]"#,
            r#"9 ["Kasse unbekannt"]"#,
        ]
    );
}

/// Every file of the folder is YAML, CSV or SQL.
fn only_text_was_edited(folder: &Path) {
    let pattern = folder.join("**/*.*");
    for file in glob::glob(&pattern.display().to_string()).expect("a pattern") {
        let path = file.expect("a file");
        let end = path.extension().and_then(|end| end.to_str());
        assert!(
            matches!(end, Some("yaml" | "csv" | "sql")),
            "{}",
            path.display()
        );
    }
}
