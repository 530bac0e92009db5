-- What the user asks for carbon. What a colon marks is filled in by install.py: the chosen method's SQL (over activities
-- and over activities by month) and, of emissions.sql, the same two.

CREATE OR REPLACE VIEW monthly AS
SELECT l.org_id, l.provider, l.stream, l.partition_key, m.*
FROM monthly_log AS m JOIN loads AS l ON l.load_id = m.load_id
WHERE l.status = 'current';

-- In the shape of activities, so that the method works on them as on those.
CREATE OR REPLACE VIEW monthly_activities AS
SELECT * EXCLUDE ("month"), CAST(NULL AS UUID) AS activity_id, CAST(NULL AS VARCHAR) AS resource_id,
    CAST(NULL AS MAP(VARCHAR, VARCHAR)) AS tags, CAST(NULL AS VARCHAR) AS source,
    make_timestamptz(epoch_us(CAST("month" AS TIMESTAMP))) AS period_start,
    make_timestamptz(epoch_us(CAST("month" AS TIMESTAMP) + INTERVAL 1 MONTH)) AS period_end
FROM monthly;

CREATE OR REPLACE VIEW estimates AS
:estimates_of_activities;

CREATE OR REPLACE VIEW monthly_estimates AS
:estimates_of_months;

CREATE OR REPLACE VIEW emissions AS
:emissions_of_activities;

CREATE OR REPLACE VIEW monthly_emissions AS
:emissions_of_months;

-- Where `footprint` takes an account's month from, for either accounting: reported before estimated, a reported figure
-- without scope 2 after both, the better stream before the other. Market-based there are no estimates.
CREATE OR REPLACE VIEW footprint_sources AS
WITH streams AS (
    SELECT m.org_id, m.provider, m.stream, m.account_id, m."month", coalesce(any_value(s.rank), 100) AS rank,
        count(m.emissions_kgco2e) > 0 AS reports,
        coalesce(bool_or(m.emissions_kgco2e IS NULL AND m.physical_rows > 0), false) AS estimates,
        coalesce(bool_or(m.accounting IS DISTINCT FROM 'market') FILTER (
            m.emissions_kgco2e IS NOT NULL AND coalesce(m.provider_scope, 2) = 2), false) AS complete_location,
        coalesce(bool_or(m.accounting IS DISTINCT FROM 'location') FILTER (
            m.emissions_kgco2e IS NOT NULL AND coalesce(m.provider_scope, 2) = 2), false) AS complete_market
    FROM :covered AS m LEFT JOIN emission_streams AS s ON s.provider = m.provider AND s.stream = m.stream
    GROUP BY m.org_id, m.provider, m.stream, m.account_id, m."month"
), candidates AS (
    SELECT *, 'location' AS accounting, 'reported' AS basis, if(complete_location, 0, 2) AS priority FROM streams WHERE reports
    UNION ALL
    SELECT *, 'market', 'reported', if(complete_market, 0, 2) FROM streams WHERE reports
    UNION ALL
    SELECT *, 'location', 'estimated', 1 FROM streams WHERE estimates
)
SELECT org_id, provider, account_id, "month", accounting, basis, stream, priority < 2 AS complete
FROM candidates
QUALIFY row_number() OVER (
    PARTITION BY org_id, provider, account_id, "month", accounting ORDER BY priority, rank, stream) = 1;

CREATE OR REPLACE VIEW footprint AS
SELECT e.* EXCLUDE (activity_id, resource_id, tags, source, period_start, period_end) REPLACE (f.accounting AS accounting), f.complete
FROM monthly_emissions AS e JOIN footprint_sources AS f
    ON f.org_id = e.org_id AND f.provider = e.provider AND f.stream = e.stream AND f."month" = e."month"
    AND f.account_id IS NOT DISTINCT FROM e.account_id AND f.basis = e.basis
WHERE e.accounting IS NULL OR e.accounting = f.accounting;

CREATE OR REPLACE VIEW footprint_activities AS
SELECT e.* REPLACE (f.accounting AS accounting), f.complete
FROM emissions AS e JOIN footprint_sources AS f
    ON f.org_id = e.org_id AND f.provider = e.provider AND f.stream = e.stream AND f."month" = e."month"
    AND f.account_id IS NOT DISTINCT FROM e.account_id AND f.basis = e.basis
WHERE e.accounting IS NULL OR e.accounting = f.accounting;

CREATE OR REPLACE VIEW coverage AS
WITH usage AS (
    -- A method that is asked what it estimates has rules of its own for what it does not know.
    SELECT m.*, :asked OR g.region IS NOT NULL AS region_known, :asked OR p.processor IS NOT NULL AS processor_known,
        :asked OR v.instance_type IS NOT NULL AS server_known
    FROM :covered AS m
    LEFT JOIN (SELECT DISTINCT provider, reported, region FROM factor_regions) AS g
        ON g.provider = m.provider AND g.reported = replace(lower(coalesce(m.region, '')), ' ', '')
    LEFT JOIN factor_processors AS p ON p.provider = m.provider AND p.processor = m.processor
    LEFT JOIN factor_machines AS v ON v.provider = m.provider AND v.instance_type = lower(m.instance_type)
    WHERE m.emissions_kgco2e IS NULL AND coalesce(m.charge_category, 'Usage') = 'Usage'
)
SELECT org_id, provider, stream, "month", account_id, category, service, usage_type, region,
    CAST(sum(row_count) AS BIGINT) AS usage_rows,
    CAST(coalesce(sum(physical_rows) FILTER (region_known), 0) AS BIGINT) AS estimated_rows,
    CAST(coalesce(sum(physical_rows) FILTER (NOT region_known), 0) AS BIGINT) AS unknown_region_rows,
    CAST(sum(row_count - physical_rows) AS BIGINT) AS no_quantity_rows,
    CAST(coalesce(sum(vcpu_rows) FILTER (region_known AND NOT processor_known), 0) AS BIGINT) AS unknown_processor_rows,
    CAST(coalesce(sum(vcpu_rows) FILTER (region_known AND server_known), 0) AS BIGINT) AS embodied_rows,
    CAST(sum(negative_rows) AS BIGINT) AS negative_rows,
    sum(cost) AS cost, sum(physical_cost) FILTER (region_known) AS estimated_cost,
    currency
FROM usage GROUP BY ALL;

CREATE OR REPLACE VIEW reconciliation AS
WITH chosen AS (
    -- The stream that either basis would be taken from, whether or not the other one wins.
    SELECT m.org_id, m.provider, m.stream, m.account_id, m."month", if(m.emissions_kgco2e IS NULL, 'estimated', 'reported') AS basis
    FROM :covered AS m LEFT JOIN emission_streams AS s ON s.provider = m.provider AND s.stream = m.stream
    WHERE m.emissions_kgco2e IS NOT NULL OR m.physical_rows > 0
    GROUP BY m.org_id, m.provider, m.stream, m.account_id, m."month", if(m.emissions_kgco2e IS NULL, 'estimated', 'reported')
    QUALIFY row_number() OVER (
        PARTITION BY m.org_id, m.provider, m.account_id, m."month", basis ORDER BY coalesce(any_value(s.rank), 100), m.stream) = 1
), figures AS (
    SELECT e.org_id, e.provider, e."month", e.account_id, e.category, e.service, e.region, e.stream, e.basis, e.provider_scope,
        if(e.basis = 'reported', e.emissions_kgco2e, NULL) AS reported,
        if(e.lifecycle = 'operational' AND e.basis = 'estimated', e.emissions_kgco2e, NULL) AS operational,
        if(e.lifecycle = 'embodied', e.emissions_kgco2e, NULL) AS embodied,
        if(e.basis = 'estimated', e.emissions_kgco2e, NULL) AS estimated,
        if(e.basis = 'estimated', e.low_kgco2e, NULL) AS low, if(e.basis = 'estimated', e.high_kgco2e, NULL) AS high,
        CAST(NULL AS BIGINT) AS usage_rows, CAST(NULL AS BIGINT) AS estimated_rows, CAST(NULL AS BIGINT) AS no_quantity_rows,
        CAST(NULL AS BIGINT) AS unknown_region_rows, CAST(NULL AS DECIMAL(38,18)) AS cost,
        CAST(NULL AS DECIMAL(38,18)) AS estimated_cost, CAST(NULL AS VARCHAR) AS currency
    FROM monthly_emissions AS e
    WHERE e.accounting IS DISTINCT FROM 'market'
    UNION ALL
    SELECT c.org_id, c.provider, c."month", c.account_id, c.category, c.service, c.region, c.stream, 'estimated', NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, c.usage_rows, c.estimated_rows, c.no_quantity_rows, c.unknown_region_rows, c.cost, c.estimated_cost, c.currency
    FROM coverage AS c
)
SELECT f.org_id, f.provider, f."month", f.account_id, f.category,
    coalesce(s.reported, rest.reported, f.service) AS service, coalesce(g.region, f.region) AS region,
    sum(f.reported) FILTER (provider_scope = 2) AS reported_scope2_kgco2e,
    sum(f.reported) AS reported_total_kgco2e,
    sum(operational) AS estimated_operational_kgco2e, sum(embodied) AS estimated_embodied_kgco2e,
    sum(estimated) AS estimated_total_kgco2e,
    sum(low) AS estimated_low_kgco2e, sum(high) AS estimated_high_kgco2e,
    sum(operational) / nullif(sum(f.reported) FILTER (provider_scope = 2), 0) AS ratio_scope2,
    sum(estimated) / nullif(sum(f.reported), 0) AS ratio_total,
    CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows, CAST(sum(usage_rows) AS BIGINT) AS usage_rows,
    CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows, CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
    if(count(DISTINCT currency) > 1, NULL, sum(cost)) AS cost,
    if(count(DISTINCT currency) > 1, NULL, sum(estimated_cost)) AS estimated_cost,
    if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
FROM figures AS f JOIN chosen AS c ON c.org_id = f.org_id AND c.provider = f.provider AND c.stream = f.stream AND c.basis = f.basis
    AND c."month" = f."month" AND c.account_id IS NOT DISTINCT FROM f.account_id
LEFT JOIN (SELECT DISTINCT provider, reported, region FROM factor_regions) AS g
    ON g.provider = f.provider AND g.reported = replace(lower(coalesce(f.region, '')), ' ', '')
-- AWS tells carbon of three services, and of the rest together.
LEFT JOIN emission_services AS s ON s.provider = f.provider AND s.service = f.service
LEFT JOIN emission_services AS rest ON rest.provider = f.provider AND rest.service = '' AND f.service IS NOT NULL
GROUP BY ALL;

CREATE OR REPLACE VIEW restatements AS
WITH forgotten AS (
    -- Taken out by `ogf forget`: superseded at a moment when no load took its place. What was there before is gone too.
    SELECT org_id, provider, stream, partition_key, max(superseded_at) AS forgotten_at
    FROM loads AS l WHERE superseded_at IS NOT NULL AND NOT EXISTS (
        FROM loads AS n WHERE n.org_id = l.org_id AND n.provider = l.provider AND n.stream = l.stream AND n.published_at = l.superseded_at)
    GROUP BY ALL
), versions AS (
    -- Each load of a partition that is kept, and the one before it. `…@v3.0.0` tells the same as `…@v2.0.0`, anew.
    SELECT *, lag(load_id) OVER (
        PARTITION BY org_id, provider, stream, regexp_replace(partition_key, '@[vV]?\d+([.]\d+)*$', '')
        ORDER BY list_transform(regexp_extract_all(regexp_extract(partition_key, '@[vV]?\d+([.]\d+)*$'), '\d+'), lambda n: CAST(n AS BIGINT)),
            published_at, load_id) AS old_load_id
    FROM loads AS l WHERE status IN ('current', 'superseded') AND published_at IS NOT NULL AND pruned_at IS NULL AND NOT EXISTS (
        FROM forgotten AS f WHERE f.org_id = l.org_id AND f.provider = l.provider AND f.stream = l.stream
            AND f.partition_key = l.partition_key AND f.forgotten_at >= l.published_at)
), totals AS (
    -- The model version is the load's of that month, for a figure that it does not give too: each change has both.
    SELECT load_id, "month", provider_scope, accounting, sum(emissions_kgco2e) AS kgco2e
    FROM monthly_log WHERE emissions_kgco2e IS NOT NULL GROUP BY ALL
), models AS (
    SELECT load_id, "month", max(model_version) AS model_version
    FROM monthly_log WHERE emissions_kgco2e IS NOT NULL GROUP BY ALL
), before AS (
    SELECT v.load_id, t.* EXCLUDE (load_id) FROM versions AS v JOIN totals AS t ON t.load_id = v.old_load_id
), after AS (
    SELECT v.load_id, t.* EXCLUDE (load_id) FROM versions AS v JOIN totals AS t ON t.load_id = v.load_id
    WHERE v.old_load_id IS NOT NULL
), compared AS (
    SELECT coalesce(after.load_id, before.load_id) AS load_id, coalesce(after."month", before."month") AS "month",
        coalesce(after.provider_scope, before.provider_scope) AS provider_scope, coalesce(after.accounting, before.accounting) AS accounting,
        before.kgco2e AS old_kgco2e, after.kgco2e AS new_kgco2e
    FROM before FULL JOIN after ON after.load_id = before.load_id AND after."month" = before."month"
        AND after.provider_scope IS NOT DISTINCT FROM before.provider_scope AND after.accounting IS NOT DISTINCT FROM before.accounting
)
SELECT v.org_id, v.provider, v.stream, v.partition_key, c."month", c.provider_scope, c.accounting, v.old_load_id,
    v.load_id AS new_load_id, v.published_at, o.model_version AS old_model_version, n.model_version AS new_model_version,
    c.old_kgco2e, c.new_kgco2e,
    coalesce(c.new_kgco2e, 0) - coalesce(c.old_kgco2e, 0) AS change_kgco2e
FROM compared AS c JOIN versions AS v ON v.load_id = c.load_id
LEFT JOIN models AS o ON o.load_id = v.old_load_id AND o."month" = c."month"
LEFT JOIN models AS n ON n.load_id = v.load_id AND n."month" = c."month";
