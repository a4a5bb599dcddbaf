-- unique_key: visit_id
-- partition_by: department
SELECT
    f.fallnr AS visit_id,
    f.personennr AS patient_id,
    f.arztnr AS doctor_id,
    'Wien' AS site,
    s.fachabteilung AS department,
    f.aufnahmetag AS visit_date,
    f.diagnose AS diagnosis_code,
    f.dauer_min AS minutes,
    f.wiedervorstellung AS follow_up_required
FROM silver.aufnahmen AS f
JOIN silver.aerzte AS a ON a.arztnr = f.arztnr
JOIN silver.stationen AS s ON s.station = a.station
