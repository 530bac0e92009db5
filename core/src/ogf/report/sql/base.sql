-- What every table of the report is made of: the views, cut to what was asked for and added up as far as any table
-- needs. Temporary. What a colon marks is filled in by tables.py.

-- Sums of doubles depend on their order in the last digits; twelve are the same for every order.
CREATE OR REPLACE TEMP MACRO steady(x) AS
    if(x IS NULL OR x = 0 OR NOT isfinite(x), x, round(x, 11 - CAST(floor(log10(abs(x))) AS INTEGER)));

CREATE OR REPLACE TEMP TABLE report_footprint AS
SELECT org_id, provider, account_id, "month", category, service, coalesce(factor_region, region) AS region,
    accounting, basis, provider_scope, lifecycle, complete,
    fsum(emissions_kgco2e) AS emissions_kgco2e, fsum(low_kgco2e) AS low_kgco2e, fsum(high_kgco2e) AS high_kgco2e,
    fsum(energy_kwh) AS energy_kwh
FROM footprint WHERE :asked AND accounting IN (:accountings) GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE report_gaps AS
SELECT r.*, coalesce(s.complete, false) AS reported_complete
FROM reconciliation AS r LEFT JOIN (
    -- A reported figure without scope 2 is no whole, so nothing is compared with it.
    SELECT DISTINCT org_id, provider, account_id, "month", complete
    FROM footprint_sources WHERE accounting = 'location' AND basis = 'reported' AND complete
) AS s ON s.org_id = r.org_id AND s.provider = r.provider AND s."month" = r."month"
    AND s.account_id IS NOT DISTINCT FROM r.account_id
WHERE :asked_of_r;

-- One row for each account and month: what is reported, what is estimated, and what of both can be compared.
CREATE OR REPLACE TEMP TABLE report_accounts AS
WITH added AS (
    SELECT org_id, provider, account_id, "month", bool_or(reported_complete) AS reported_complete,
        fsum(reported_scope2_kgco2e) AS reported_scope2_kgco2e, fsum(reported_total_kgco2e) AS reported_total_kgco2e,
        fsum(estimated_operational_kgco2e) AS estimated_operational_kgco2e,
        fsum(estimated_embodied_kgco2e) AS estimated_embodied_kgco2e, fsum(estimated_total_kgco2e) AS estimated_total_kgco2e,
        fsum(estimated_low_kgco2e) AS estimated_low_kgco2e, fsum(estimated_high_kgco2e) AS estimated_high_kgco2e,
        sum(usage_rows) AS usage_rows, sum(estimated_rows) AS estimated_rows
    FROM report_gaps GROUP BY ALL
)
SELECT *, reported_scope2_kgco2e IS NOT NULL AND estimated_operational_kgco2e IS NOT NULL AS scope2_compared,
    reported_complete AND reported_total_kgco2e IS NOT NULL AND estimated_total_kgco2e IS NOT NULL AS total_compared
FROM added;

CREATE OR REPLACE TEMP TABLE report_coverage AS
SELECT org_id, provider, stream, "month", account_id, service, usage_type, region, currency,
    CAST(sum(usage_rows) AS BIGINT) AS usage_rows, CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows,
    CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
    CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows, sum(cost) AS cost, sum(estimated_cost) AS estimated_cost
FROM coverage WHERE :asked GROUP BY ALL;
