-- {materialized: incremental, unique_key: facility_id}
SELECT
    CAST(translate(substr(md5(facility_id), 1, 18), 'abcdef', '012345') AS BIGINT) AS facility_key,
    facility_id,
    source,
    source_facility_id,
    name,
    coalesce(type, 'Unknown') AS type,
    city,
    region,
    country
FROM op.facilities
UNION ALL
SELECT 0, 'unknown', 'unknown', 'unknown', 'Unknown', 'Unknown', NULL, NULL, NULL
