/*
unique_key: [source, age_group, rank]
*/
WITH ranked AS (
    SELECT
        source,
        age_group,
        row_number() OVER (PARTITION BY source, age_group ORDER BY patients DESC, code_system, code) AS rank,
        code_system,
        code,
        description,
        patients,
        diagnoses
    FROM gold.mv_diagnosis_by_age_group
)
SELECT * FROM ranked WHERE rank <= 10
