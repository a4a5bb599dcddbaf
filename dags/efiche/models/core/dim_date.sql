-- {materialized: incremental, unique_key: date_key}
WITH dated AS (
    SELECT encounter_date AS day FROM op.encounters
    UNION ALL
    SELECT diagnosis_date FROM op.diagnoses
),
years AS (
    SELECT CAST(date_part('year', min(day)) AS INT) AS first, CAST(date_part('year', max(day)) AS INT) AS last
    FROM dated
),
days AS (
    SELECT unnest(generate_series(make_date(first, 1, 1), make_date(last, 12, 31), INTERVAL '1 day')) AS day
    FROM years
)
SELECT
    CAST(to_char(day, '%Y%m%d') AS BIGINT) AS date_key,
    CAST(day AS DATE) AS day,
    CAST(date_part('year', day) AS INT) AS year,
    CAST(date_part('quarter', day) AS INT) AS quarter,
    CAST(date_part('month', day) AS INT) AS month,
    to_char(day, '%B') AS month_name,
    to_char(day, '%Y-%m') AS year_month,
    CAST(to_char(day, '%G') AS INT) AS iso_year,
    CAST(to_char(day, '%V') AS INT) AS iso_week,
    CAST(to_char(day, '%u') AS INT) AS day_of_week,
    to_char(day, '%u') IN ('6', '7') AS is_weekend
FROM days
UNION ALL
SELECT 0, NULL, NULL, NULL, NULL, 'Unknown', 'Unknown', NULL, NULL, NULL, NULL
