-- {materialized: incremental, unique_key: procedure_id}
SELECT
    p.procedure_id,
    p.source,
    p.source_procedure_id,
    coalesce(f.encounter_key, 0) AS encounter_key,
    coalesce(k.procedure_key, 0) AS procedure_key
FROM op.procedures AS p
LEFT JOIN core.fact_encounters AS f ON f.encounter_id = p.encounter_id
LEFT JOIN core.dim_procedure AS k
    ON k.name = p.name
    AND k.modality = coalesce(p.modality, 'Unknown')
    AND k.projection = coalesce(p.projection, 'Unknown')
