-- unique_key: [department, diagnosis_code]
-- tags: clinical
WITH counted AS (
    SELECT
        department,
        diagnosis_code,
        count(*) AS visits,
        count(DISTINCT patient_id) AS patients,
        sum(count(*)) OVER (PARTITION BY department) AS of_visits
    FROM silver.visit_history
    GROUP BY department, diagnosis_code
)
SELECT
    c.department,
    row_number() OVER (PARTITION BY c.department ORDER BY c.visits DESC, c.diagnosis_code) AS place,
    c.diagnosis_code,
    coalesce(d.description, 'None written down') AS description,
    c.visits,
    c.patients,
    CAST(CAST(100 * c.visits AS DECIMAL(18, 0)) / c.of_visits AS DECIMAL(5, 2)) AS visit_pct
FROM counted AS c
LEFT JOIN silver.diagnosis_codes AS d ON d.diagnosis_code = c.diagnosis_code
