-- unique_key: doctor_id
-- tags: operational
SELECT
    d.doctor_id,
    d.doctor_name,
    d.department,
    count(h.visit_id) AS visits,
    count(DISTINCT h.visit_date) AS active_days,
    CAST(coalesce(sum(h.minutes), 0) AS BIGINT) AS minutes,
    -- a day on which a doctor saw somebody is a working day of 480 minutes
    CAST(CAST(coalesce(sum(h.minutes), 0) AS DECIMAL(18, 4)) / nullif(480 * count(DISTINCT h.visit_date), 0)
        AS DECIMAL(7, 4)) AS utilization_rate
FROM core.dim_doctors AS d
LEFT JOIN silver.visit_history AS h ON h.doctor_id = d.doctor_id
GROUP BY d.doctor_id, d.doctor_name, d.department
