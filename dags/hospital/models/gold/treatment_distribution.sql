-- unique_key: treatment_type
WITH costs AS (
    SELECT treatment_type, treatment_cost, count(*) AS treatments
    FROM core.fact_treatments
    GROUP BY treatment_type, treatment_cost
),
ranked AS (
    SELECT
        treatment_type,
        treatment_cost,
        treatments,
        -- how many treatments cost no more than this
        sum(treatments) OVER (PARTITION BY treatment_type ORDER BY treatment_cost) AS upto,
        sum(treatments) OVER (PARTITION BY treatment_type) AS n
    FROM costs
)
SELECT
    treatment_type,
    CAST(sum(treatments) AS BIGINT) AS treatments,
    CAST(sum(treatments * treatment_cost) AS DECIMAL(18, 2)) AS total,
    min(treatment_cost) AS min,
    max(treatment_cost) AS max,
    CAST(sum(treatments * treatment_cost) / sum(treatments) AS DECIMAL(18, 2)) AS avg,
    -- exact, where an interpolating function would give a float: the one or two in the middle, and a cost that occurs
    CAST(avg(treatment_cost) FILTER (WHERE 2 * upto >= n AND 2 * (upto - treatments) <= n) AS DECIMAL(18, 2)) AS median,
    min(treatment_cost) FILTER (WHERE 100 * upto >= 95 * n) AS p95
FROM ranked
GROUP BY treatment_type
