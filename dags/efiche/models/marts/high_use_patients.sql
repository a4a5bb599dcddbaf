/*
unique_key: patient_key
allow_empty: true
*/
WITH counted AS (
    SELECT
        f.source,
        f.patient_key,
        count(*) AS encounters,
        sum(f.num_procedures) AS procedures,
        sum(f.num_diagnoses) AS diagnoses,
        min(d.day) AS first_day,
        max(d.day) AS last_day
    FROM core.fact_encounters AS f
    LEFT JOIN core.dim_date AS d ON d.date_key = f.date_key
    WHERE f.patient_key <> 0
    GROUP BY f.source, f.patient_key
    HAVING count(*) >= 5
)
SELECT
    counted.source,
    counted.patient_key,
    p.patient_id,
    p.age_group,
    p.sex,
    counted.encounters,
    counted.procedures,
    counted.diagnoses,
    counted.first_day,
    counted.last_day
FROM counted
LEFT JOIN core.dim_patient AS p ON p.patient_key = counted.patient_key AND p.is_current
