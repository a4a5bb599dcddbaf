-- unique_key: department
-- tags: clinical
WITH newest AS (SELECT max(visit_date) AS day FROM silver.visit_history)
SELECT
    h.department,
    count(*) AS visits_followed,
    count(*) FILTER (WHERE h.days_to_next_visit <= 30) AS readmitted_30d,
    CAST(avg(CAST(CAST(coalesce(h.days_to_next_visit <= 30, false) AS INT) AS DECIMAL(9, 4))) AS DECIMAL(5, 4))
        AS readmission_rate
FROM silver.visit_history AS h
CROSS JOIN newest
-- of later visits nobody knows yet whether their patients will be back
WHERE newest.day - h.visit_date >= 30
GROUP BY h.department
