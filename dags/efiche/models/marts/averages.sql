-- unique_key: source
WITH counted AS (
    SELECT
        source,
        count(*) AS encounters,
        count(DISTINCT patient_key) AS patients,
        sum(num_procedures) AS procedures,
        sum(num_diagnoses) AS diagnoses
    FROM core.fact_encounters
    GROUP BY source
)
SELECT
    source,
    encounters,
    patients,
    round(CAST(encounters AS DOUBLE) / patients, 4) AS encounters_per_patient,
    round(CAST(procedures AS DOUBLE) / patients, 4) AS procedures_per_patient,
    round(CAST(diagnoses AS DOUBLE) / patients, 4) AS diagnoses_per_patient,
    round(CAST(procedures AS DOUBLE) / encounters, 4) AS procedures_per_encounter,
    round(CAST(diagnoses AS DOUBLE) / encounters, 4) AS diagnoses_per_encounter
FROM counted
