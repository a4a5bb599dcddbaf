-- unique_key: patient_id
WITH newest AS (SELECT max(visit_date) AS day FROM silver.visits)
SELECT
    p.patient_id,
    p.patient_name,
    -- on the day of the newest visit there is, so that the same data always gives the same ages
    CAST((
        CAST(to_char(newest.day, '%Y%m%d') AS INT) - CAST(to_char(p.birth_date, '%Y%m%d') AS INT)
    ) / 10000 AS INT) AS age,
    coalesce(p.gender, 'Unknown') AS gender,
    coalesce(p.country, 'Unknown') AS country
FROM silver.patients AS p
CROSS JOIN newest
