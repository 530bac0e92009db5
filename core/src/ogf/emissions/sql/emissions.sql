-- Carbon figures of activities, or of activities added up by month: what is reported, and what the method estimates.
SELECT activity_id, org_id, provider, stream, partition_key, load_id, "month", period_start, period_end,
    billing_account_id, account_id, account_name, resource_id, service, category, usage_type, operation, instance_type,
    charge_category, region, location, quantity, unit, cost, currency, tags, source,
    'reported' AS basis,
    CASE WHEN provider_scope IN (1, 2) THEN 'operational' ELSE 'total' END AS lifecycle,
    'reported' AS method, model_version AS method_version,
    provider_scope, CAST(3 AS TINYINT) AS ghg_scope, CAST(1 AS TINYINT) AS ghg_category, accounting, data_quality,
    CAST(NULL AS DOUBLE) AS it_energy_kwh, CAST(NULL AS DOUBLE) AS pue, CAST(NULL AS DOUBLE) AS energy_kwh,
    CAST(NULL AS DOUBLE) AS gco2e_per_kwh, CAST(NULL AS DOUBLE) AS water_l,
    emissions_kgco2e, emissions_kgco2e AS low_kgco2e, emissions_kgco2e AS high_kgco2e,
    CAST(NULL AS VARCHAR) AS factor_id, CAST(NULL AS INTEGER) AS factor_year, CAST(NULL AS VARCHAR) AS factor_basis,
    CAST(NULL AS VARCHAR) AS factor_licence, CAST(NULL AS VARCHAR) AS factor_region,
    CAST(NULL AS VARCHAR) AS low_factor_id, CAST(NULL AS VARCHAR) AS high_factor_id, CAST(NULL AS VARCHAR) AS pue_factor_id
FROM (
    SELECT *, CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE) AS "month"
    FROM :activities WHERE emissions_kgco2e IS NOT NULL)
UNION ALL  -- Embodied rows have no energy and no grid, and the cost is told once, on the operational row.
SELECT activity_id, org_id, provider, stream, partition_key, load_id, "month", period_start, period_end,
    billing_account_id, account_id, account_name, resource_id, service, category, usage_type, operation, instance_type,
    charge_category, region, location, if(operational, quantity, NULL), if(operational, unit, NULL),
    if(operational, cost, NULL), if(operational, currency, NULL), tags, source,
    'estimated', if(operational, :lifecycle, 'embodied'), :method, :method_version,
    CAST(if(operational, :provider_scope, 3) AS TINYINT), CAST(3 AS TINYINT), CAST(1 AS TINYINT), 'location',
    if(operational, operational_quality, embodied_quality),
    if(operational, it_energy_kwh, NULL), if(operational, pue, NULL), if(operational, energy_kwh, NULL),
    if(operational, gco2e_per_kwh, NULL), if(operational, water_l, NULL),
    if(operational, operational_kgco2e, embodied_kgco2e), if(operational, operational_low_kgco2e, embodied_low_kgco2e),
    if(operational, operational_high_kgco2e, embodied_high_kgco2e),
    if(operational, factor_id, embodied_factor_id), if(operational, factor_year, NULL),
    if(operational, factor_basis, 'embodied'), if(operational, factor_licence, 'Apache-2.0'), factor_region,
    if(operational, low_factor_id, NULL), if(operational, high_factor_id, NULL), if(operational, pue_factor_id, NULL)
FROM :estimates CROSS JOIN (VALUES (true), (false)) AS lifecycles(operational)  -- one scan for both
WHERE operational OR embodied_kgco2e IS NOT NULL
