-- unique_key: visit_id
WITH by_patient AS (
    -- one look ahead in one order of all visits: a window for each patient would take several times as long
    SELECT visit_id, CASE WHEN lead(patient_id) OVER later = patient_id THEN lead(visit_date) OVER later END AS next_visit
    FROM silver.visits
    WINDOW later AS (ORDER BY patient_id, visit_date, visit_id)
),
by_department AS (
    SELECT
        visit_id,
        CASE WHEN lead(patient_id) OVER later = patient_id AND lead(department) OVER later = department
            THEN lead(visit_date) OVER later END AS next_visit
    FROM silver.visits
    WINDOW later AS (ORDER BY patient_id, department, visit_date, visit_id)
)
SELECT p.visit_id, p.next_visit, d.next_visit AS next_in_department
FROM by_patient AS p
LEFT JOIN by_department AS d ON d.visit_id = p.visit_id
