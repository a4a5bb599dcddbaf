/*
materialized: scd2
unique_key: patient_id
*/
-- The key is made of the natural key, so that it is the same in every rebuild and on every machine: 18 digits of its MD5,
-- where `a` to `f` stand for 0 to 5. A collision is found by a test.
SELECT
    CAST(translate(substr(md5(patient_id), 1, 18), 'abcdef', '012345') AS BIGINT) AS patient_key,
    patient_id,
    source,
    source_patient_id,
    coalesce(sex, 'Unknown') AS sex,
    birth_year,
    age,
    CASE
        WHEN age BETWEEN 0 AND 17 THEN '0-17'
        WHEN age BETWEEN 18 AND 30 THEN '18-30'
        WHEN age BETWEEN 31 AND 50 THEN '31-50'
        WHEN age BETWEEN 51 AND 70 THEN '51-70'
        WHEN age >= 71 THEN '71+'
        ELSE 'Unknown'
    END AS age_group,
    location,
    postcode
FROM op.patients
UNION ALL
SELECT 0, 'unknown', 'unknown', 'unknown', 'Unknown', NULL, NULL, 'Unknown', NULL, NULL
