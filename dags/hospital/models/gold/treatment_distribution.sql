-- unique_key: treatment_type
WITH ordered AS (
    SELECT
        treatment_type,
        treatment_cost,
        row_number() OVER (PARTITION BY treatment_type ORDER BY treatment_cost) AS nth,
        count(*) OVER (PARTITION BY treatment_type) AS n
    FROM core.fact_treatments
)
SELECT
    treatment_type,
    count(*) AS treatments,
    CAST(sum(treatment_cost) AS DECIMAL(18, 2)) AS total,
    min(treatment_cost) AS min,
    max(treatment_cost) AS max,
    CAST(avg(treatment_cost) AS DECIMAL(18, 2)) AS avg,
    -- exact, where an interpolating function would give a float: the one or two in the middle, and a cost that occurs
    CAST(avg(treatment_cost) FILTER (WHERE 2 * nth BETWEEN n AND n + 2) AS DECIMAL(18, 2)) AS median,
    min(treatment_cost) FILTER (WHERE 100 * nth >= 95 * n) AS p95
FROM ordered
GROUP BY treatment_type
