/*
unique_key: [source, day_type]
*/
-- Days are those with encounters. Encounters without a date are on no day.
SELECT
    f.source,
    CASE WHEN d.is_weekend THEN 'weekend' WHEN NOT d.is_weekend THEN 'weekday' ELSE 'Unknown' END AS day_type,
    count(*) AS encounters,
    count(DISTINCT d.day) AS days,
    round(CAST(count(*) AS DOUBLE) / nullif(count(DISTINCT d.day), 0), 4) AS encounters_per_day,
    round(avg(CAST(f.num_procedures AS DOUBLE)), 4) AS procedures_per_encounter
FROM core.fact_encounters AS f
LEFT JOIN core.dim_date AS d ON d.date_key = f.date_key
GROUP BY f.source, day_type
