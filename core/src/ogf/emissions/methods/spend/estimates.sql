-- Method spend: what usage cost, times the user's own factor of its provider, currency and year. Nothing is converted.
-- A row that costs nothing has no estimate: it is used, only not paid here, which is not zero. A row whose charge category
-- is not told may be anything that is paid, so that here, where money counts, it is not taken for usage.
SELECT a.*, CAST(date_trunc('month', make_timestamp(epoch_us(a.period_start))) AS DATE) AS "month",
    f.factor_id, f."year" AS factor_year, 'spend, as declared by the user' AS factor_basis, f.licence AS factor_licence,
    CAST(NULL AS VARCHAR) AS factor_region, f.kgco2e_per_currency,
    CAST(NULL AS VARCHAR) AS low_factor_id, CAST(NULL AS VARCHAR) AS high_factor_id, CAST(NULL AS VARCHAR) AS pue_factor_id,
    CAST(NULL AS DOUBLE) AS it_energy_kwh, CAST(NULL AS DOUBLE) AS pue, CAST(NULL AS DOUBLE) AS energy_kwh,
    CAST(NULL AS DOUBLE) AS gco2e_per_kwh, CAST(NULL AS DOUBLE) AS water_l,
    CAST(a.cost AS DOUBLE) * f.kgco2e_per_currency AS operational_kgco2e,
    CAST(a.cost AS DOUBLE) * f.low_kgco2e_per_currency AS operational_low_kgco2e,
    CAST(a.cost AS DOUBLE) * f.high_kgco2e_per_currency AS operational_high_kgco2e,
    CAST(NULL AS DOUBLE) AS embodied_kgco2e, CAST(NULL AS DOUBLE) AS embodied_low_kgco2e, CAST(NULL AS DOUBLE) AS embodied_high_kgco2e,
    CAST(NULL AS VARCHAR) AS embodied_factor_id, 'default' AS operational_quality, 'default' AS embodied_quality
FROM :activities AS a
JOIN factor_spend AS f ON f.provider = a.provider AND f.currency = upper(a.currency)
    AND f.usage_year = year(make_timestamp(epoch_us(a.period_start)))
WHERE a.emissions_kgco2e IS NULL AND a.charge_category = 'Usage' AND a.cost <> 0
