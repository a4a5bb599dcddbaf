-- unique_key: treatment_id
SELECT
    l.leistungsnr AS treatment_id,
    l.fallnr AS visit_id,
    l.art AS treatment_type,
    l.betrag AS treatment_cost,
    l.bezahlt AS amount_paid,
    k.kassenname AS insurance_provider
FROM silver.leistungen AS l
LEFT JOIN silver.kassen AS k ON k.kassennr = l.kassennr
