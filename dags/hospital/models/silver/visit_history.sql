-- unique_key: visit_id
SELECT
    v.visit_id,
    v.visit_date,
    v.site,
    v.department,
    v.doctor_id,
    d.doctor_name,
    v.patient_id,
    p.country,
    CAST((
        CAST(to_char(v.visit_date, '%Y%m%d') AS INT) - CAST(to_char(p.birth_date, '%Y%m%d') AS INT)
    ) / 10000 AS INT) AS age_at_visit,
    coalesce(v.diagnosis_code, 'none') AS diagnosis_code,
    v.minutes,
    coalesce(v.follow_up_required, false) AS follow_up_required,
    n.next_visit - v.visit_date AS days_to_next_visit,
    n.next_in_department - v.visit_date AS days_to_next_in_department
FROM silver.visits AS v
JOIN silver.patients AS p ON p.patient_id = v.patient_id
JOIN silver.doctors AS d ON d.doctor_id = v.doctor_id
LEFT JOIN silver.next_visits AS n ON n.visit_id = v.visit_id
