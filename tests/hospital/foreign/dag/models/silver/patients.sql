-- unique_key: patient_id
-- partition_by: country
SELECT
    personennr AS patient_id,
    vorname || ' ' || nachname AS patient_name,
    geschlecht AS gender,
    geboren AS birth_date,
    staat AS country
FROM silver.personen
