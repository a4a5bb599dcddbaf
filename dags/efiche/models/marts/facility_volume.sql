-- unique_key: [source, facility_key]
WITH counted AS (
    SELECT
        facility_key,
        source,
        count(*) AS encounters,
        count(DISTINCT patient_key) AS patients,
        sum(num_procedures) AS procedures
    FROM core.fact_encounters
    GROUP BY facility_key, source
)
SELECT
    counted.source,
    counted.facility_key,
    f.name,
    f.city,
    counted.encounters,
    counted.patients,
    counted.procedures,
    rank() OVER (PARTITION BY counted.source ORDER BY counted.encounters DESC) AS rank
FROM counted
LEFT JOIN core.dim_facility AS f ON f.facility_key = counted.facility_key
