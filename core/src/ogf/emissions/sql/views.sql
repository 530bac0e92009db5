-- What the user asks for carbon. The method's own SQL comes first; what a colon marks is filled in by install.py.

CREATE OR REPLACE VIEW estimates AS
:estimates;

CREATE OR REPLACE VIEW emissions AS
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
    FROM activities WHERE emissions_kgco2e IS NOT NULL)
UNION ALL
SELECT activity_id, org_id, provider, stream, partition_key, load_id, "month", period_start, period_end,
    billing_account_id, account_id, account_name, resource_id, service, category, usage_type, operation, instance_type,
    charge_category, region, location, quantity, unit, cost, currency, tags, source,
    'estimated', 'operational', :method, :method_version,
    CAST(2 AS TINYINT), CAST(3 AS TINYINT), CAST(1 AS TINYINT), 'location', operational_quality,
    it_energy_kwh, pue, energy_kwh, gco2e_per_kwh, water_l,
    operational_kgco2e, operational_low_kgco2e, operational_high_kgco2e,
    factor_id, factor_year, factor_basis, factor_licence, factor_region, low_factor_id, high_factor_id, pue_factor_id
FROM estimates
UNION ALL  -- what the making of the machines emitted: no energy, no grid, and the cost is told once, above
SELECT activity_id, org_id, provider, stream, partition_key, load_id, "month", period_start, period_end,
    billing_account_id, account_id, account_name, resource_id, service, category, usage_type, operation, instance_type,
    charge_category, region, location, NULL, NULL, NULL, NULL, tags, source,
    'estimated', 'embodied', :method, :method_version,
    CAST(3 AS TINYINT), CAST(3 AS TINYINT), CAST(1 AS TINYINT), 'location', embodied_quality,
    NULL, NULL, NULL, NULL, NULL,
    embodied_kgco2e, embodied_low_kgco2e, embodied_high_kgco2e,
    embodied_factor_id, NULL, 'embodied', 'Apache-2.0', factor_region, NULL, NULL, NULL
FROM estimates WHERE embodied_kgco2e IS NOT NULL;

-- Where `footprint` takes an account's month from, for either accounting: reported before estimated, a reported figure
-- without scope 2 after both, the better stream before the other. Market-based there are no estimates.
CREATE OR REPLACE VIEW footprint_sources AS
WITH streams AS (
    SELECT l.org_id, l.provider, l.stream, m.account_id, m."month", coalesce(any_value(s.rank), 100) AS rank,
        sum(m.reported_rows) AS reported_rows, sum(m.physical_rows) AS physical_rows,
        bool_or(m.complete_location) AS complete_location, bool_or(m.complete_market) AS complete_market,
        list(DISTINCT m.load_id) AS load_ids
    FROM load_months AS m JOIN loads AS l ON l.load_id = m.load_id
    LEFT JOIN emission_streams AS s ON s.provider = l.provider AND s.stream = l.stream
    WHERE l.status = 'current'
    GROUP BY l.org_id, l.provider, l.stream, m.account_id, m."month"
), candidates AS (
    SELECT *, 'location' AS accounting, 'reported' AS basis, if(complete_location, 0, 2) AS priority
    FROM streams WHERE reported_rows > 0
    UNION ALL
    SELECT *, 'market', 'reported', if(complete_market, 0, 2) FROM streams WHERE reported_rows > 0
    UNION ALL
    SELECT *, 'location', 'estimated', 1 FROM streams WHERE physical_rows > 0
), best AS (
    FROM candidates
    QUALIFY row_number() OVER (
        PARTITION BY org_id, provider, account_id, "month", accounting ORDER BY priority, rank, stream) = 1
)
SELECT org_id, provider, account_id, "month", accounting, basis, stream, priority < 2 AS complete,
    unnest(load_ids) AS load_id
FROM best;

CREATE OR REPLACE VIEW footprint AS
SELECT e.* REPLACE (f.accounting AS accounting), f.complete
FROM emissions AS e JOIN footprint_sources AS f
    ON f.load_id = e.load_id AND f."month" = e."month" AND f.account_id IS NOT DISTINCT FROM e.account_id AND f.basis = e.basis
WHERE e.accounting IS NULL OR e.accounting = f.accounting;

CREATE OR REPLACE VIEW reconciliation AS
WITH chosen AS (
    -- The stream that each basis would be taken from, whether or not the other one wins.
    SELECT l.org_id, l.provider, l.stream, m.account_id, m."month", m.load_id,
        coalesce(s.rank, 100) AS rank, m.reported_rows > 0 AS reports, m.physical_rows > 0 AS estimates
    FROM load_months AS m JOIN loads AS l ON l.load_id = m.load_id
    LEFT JOIN emission_streams AS s ON s.provider = l.provider AND s.stream = l.stream
    WHERE l.status = 'current'
), reporting AS (
    SELECT load_id, account_id, "month" FROM chosen WHERE reports
    QUALIFY dense_rank() OVER (PARTITION BY org_id, provider, account_id, "month" ORDER BY rank, stream) = 1
), billing AS (
    SELECT load_id, account_id, "month" FROM chosen WHERE estimates
    QUALIFY dense_rank() OVER (PARTITION BY org_id, provider, account_id, "month" ORDER BY rank, stream) = 1
), figures AS (
    SELECT e.org_id, e.provider, e."month", e.account_id, e.category, e.service, coalesce(g.region, e.region) AS region,
        e.emissions_kgco2e AS reported, e.provider_scope, NULL::DOUBLE AS operational, NULL::DOUBLE AS embodied, NULL::DOUBLE AS low,
        NULL::DOUBLE AS high, 0 AS usage_rows, 0 AS estimated_rows, NULL::DECIMAL(38,18) AS cost, NULL::DECIMAL(38,18) AS estimated_cost,
        NULL::VARCHAR AS currency
    FROM emissions AS e JOIN reporting AS r
        ON r.load_id = e.load_id AND r."month" = e."month" AND r.account_id IS NOT DISTINCT FROM e.account_id
    LEFT JOIN (SELECT DISTINCT provider, reported, region FROM factor_regions) AS g
        ON g.provider = e.provider AND g.reported = replace(lower(e.region), ' ', '')
    WHERE e.basis = 'reported' AND coalesce(e.accounting, 'location') = 'location'
    UNION ALL
    SELECT u.org_id, u.provider, u."month", u.account_id, u.category, u.service, u.factor_region, NULL, NULL,
        u.operational_kgco2e, u.embodied_kgco2e,
        u.operational_low_kgco2e + coalesce(u.embodied_low_kgco2e, 0), u.operational_high_kgco2e + coalesce(u.embodied_high_kgco2e, 0),
        0, 1, NULL, u.cost, NULL
    FROM estimates AS u JOIN billing AS b
        ON b.load_id = u.load_id AND b."month" = u."month" AND b.account_id IS NOT DISTINCT FROM u.account_id
    UNION ALL
    SELECT a.org_id, a.provider, b."month", a.account_id, a.category, a.service, coalesce(g.region, a.region), NULL, NULL,
        NULL, NULL, NULL, NULL, 1, 0, a.cost, NULL, a.currency
    FROM activities AS a JOIN billing AS b
        ON b.load_id = a.load_id AND b."month" = CAST(date_trunc('month', make_timestamp(epoch_us(a.period_start))) AS DATE)
        AND b.account_id IS NOT DISTINCT FROM a.account_id
    LEFT JOIN (SELECT DISTINCT provider, reported, region FROM factor_regions) AS g
        ON g.provider = a.provider AND g.reported = replace(lower(a.region), ' ', '')
    WHERE a.emissions_kgco2e IS NULL AND coalesce(a.charge_category, 'Usage') = 'Usage'
), added AS (
    SELECT org_id, provider, "month", account_id, category, service, region,
        sum(reported) FILTER (provider_scope = 2) AS reported_scope2_kgco2e,
        sum(reported) AS reported_total_kgco2e,
        sum(operational) AS estimated_operational_kgco2e, sum(embodied) AS estimated_embodied_kgco2e,
        sum(low) AS estimated_low_kgco2e, sum(high) AS estimated_high_kgco2e,
        CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows, CAST(sum(usage_rows) AS BIGINT) AS usage_rows,
        sum(cost) AS cost, sum(estimated_cost) AS estimated_cost,
        if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
    FROM figures GROUP BY ALL
)
SELECT org_id, provider, "month", account_id, category, service, region, reported_scope2_kgco2e, reported_total_kgco2e,
    estimated_operational_kgco2e, estimated_embodied_kgco2e, estimated_low_kgco2e, estimated_high_kgco2e,
    estimated_operational_kgco2e / nullif(reported_scope2_kgco2e, 0) AS ratio_scope2,
    (estimated_operational_kgco2e + coalesce(estimated_embodied_kgco2e, 0)) / nullif(reported_total_kgco2e, 0) AS ratio_total,
    estimated_rows, usage_rows, cost, estimated_cost, currency
FROM added;

CREATE OR REPLACE VIEW restatements AS
WITH versions AS (
    -- Each load of a partition that is kept, and the one before it.
    SELECT *, lag(load_id) OVER (PARTITION BY org_id, provider, stream, partition_key ORDER BY published_at, load_id) AS old_load_id
    FROM loads WHERE status IN ('current', 'superseded') AND published_at IS NOT NULL AND pruned_at IS NULL
), totals AS (
    SELECT load_id, CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE) AS "month", provider_scope, accounting,
        sum(emissions_kgco2e) AS kgco2e, max(model_version) AS model_version
    FROM activity_log WHERE emissions_kgco2e IS NOT NULL GROUP BY ALL
), before AS (
    SELECT v.load_id, t.* EXCLUDE (load_id) FROM versions AS v JOIN totals AS t ON t.load_id = v.old_load_id
), after AS (
    SELECT v.load_id, t.* EXCLUDE (load_id) FROM versions AS v JOIN totals AS t ON t.load_id = v.load_id
    WHERE v.old_load_id IS NOT NULL
), compared AS (
    SELECT coalesce(after.load_id, before.load_id) AS load_id, coalesce(after."month", before."month") AS "month",
        coalesce(after.provider_scope, before.provider_scope) AS provider_scope, coalesce(after.accounting, before.accounting) AS accounting,
        before.model_version AS old_model_version, after.model_version AS new_model_version,
        before.kgco2e AS old_kgco2e, after.kgco2e AS new_kgco2e
    FROM before FULL JOIN after ON after.load_id = before.load_id AND after."month" = before."month"
        AND after.provider_scope IS NOT DISTINCT FROM before.provider_scope AND after.accounting IS NOT DISTINCT FROM before.accounting
)
SELECT v.org_id, v.provider, v.stream, v.partition_key, c."month", c.provider_scope, c.accounting, v.old_load_id,
    v.load_id AS new_load_id, v.published_at, c.old_model_version, c.new_model_version, c.old_kgco2e, c.new_kgco2e,
    coalesce(c.new_kgco2e, 0) - coalesce(c.old_kgco2e, 0) AS change_kgco2e
FROM compared AS c JOIN versions AS v ON v.load_id = c.load_id;

CREATE OR REPLACE VIEW coverage AS
WITH usage AS (
    SELECT org_id, provider, stream, CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE) AS "month", account_id,
        service, usage_type, region, count(*) AS usage_rows,
        count(*) FILTER (coalesce(vcpu_hours, memory_gib_hours, gpu_hours, storage_gib_hours, network_gib) IS NULL) AS no_quantity_rows,
        sum(cost) AS cost, if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
    FROM activities WHERE emissions_kgco2e IS NULL AND coalesce(charge_category, 'Usage') = 'Usage'
    GROUP BY ALL
), estimated AS (
    SELECT org_id, provider, stream, "month", account_id, service, usage_type, region, count(*) AS estimated_rows,
        count(*) FILTER (vcpu_hours IS NOT NULL AND NOT processor_known) AS unknown_processor_rows,
        count(embodied_kgco2e) AS embodied_rows, count(*) FILTER (operational_quality = 'default') AS default_rows,
        count(*) FILTER (operational_kgco2e < 0) AS negative_rows, sum(cost) AS estimated_cost
    FROM estimates GROUP BY ALL
)
SELECT u.org_id, u.provider, u.stream, u."month", u.account_id, u.service, u.usage_type, u.region, u.usage_rows,
    coalesce(e.estimated_rows, 0) AS estimated_rows,
    u.usage_rows - u.no_quantity_rows - coalesce(e.estimated_rows, 0) AS unknown_region_rows,
    u.no_quantity_rows, coalesce(e.unknown_processor_rows, 0) AS unknown_processor_rows,
    coalesce(e.embodied_rows, 0) AS embodied_rows, coalesce(e.default_rows, 0) AS default_rows,
    coalesce(e.negative_rows, 0) AS negative_rows, u.cost, e.estimated_cost, u.currency
FROM usage AS u LEFT JOIN estimated AS e ON e.org_id = u.org_id AND e.provider = u.provider AND e.stream = u.stream
    AND e."month" = u."month" AND e.account_id IS NOT DISTINCT FROM u.account_id AND e.service IS NOT DISTINCT FROM u.service
    AND e.usage_type IS NOT DISTINCT FROM u.usage_type AND e.region IS NOT DISTINCT FROM u.region;
