-- Per provider: reported beside estimated. The ratios are of the accounts and months that have both.
WITH accounts AS (
    SELECT org_id, provider, count(*) AS account_months,
        fsum(estimated_operational_kgco2e) AS estimated_operational_kgco2e,
        fsum(estimated_embodied_kgco2e) AS estimated_embodied_kgco2e, fsum(estimated_total_kgco2e) AS estimated_total_kgco2e,
        fsum(estimated_low_kgco2e) AS estimated_low_kgco2e, fsum(estimated_high_kgco2e) AS estimated_high_kgco2e,
        count(*) FILTER (total_compared) AS compared_account_months,
        fsum(estimated_operational_kgco2e) FILTER (scope2_compared)
            / nullif(fsum(reported_scope2_kgco2e) FILTER (scope2_compared), 0) AS ratio_scope2,
        fsum(estimated_total_kgco2e) FILTER (total_compared)
            / nullif(fsum(reported_total_kgco2e) FILTER (total_compared), 0) AS ratio_total
    FROM report_accounts GROUP BY ALL
), reported AS (
    SELECT org_id, provider,
        fsum(emissions_kgco2e) FILTER (accounting = 'location' AND complete) AS reported_location_kgco2e,
        fsum(emissions_kgco2e) FILTER (accounting = 'market' AND complete) AS reported_market_kgco2e
    FROM report_footprint WHERE basis = 'reported' GROUP BY ALL
), covered AS (
    SELECT org_id, provider, CAST(sum(usage_rows) AS BIGINT) AS usage_rows,
        CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows,
        if(count(DISTINCT currency) = 1, sum(cost), NULL) AS cost,
        if(count(DISTINCT currency) = 1, sum(estimated_cost), NULL) AS estimated_cost,
        if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
    FROM report_coverage GROUP BY ALL
)
SELECT org_id, provider, account_months, steady(reported_location_kgco2e) AS reported_location_kgco2e,
    steady(reported_market_kgco2e) AS reported_market_kgco2e,
    steady(estimated_operational_kgco2e) AS estimated_operational_kgco2e,
    steady(estimated_embodied_kgco2e) AS estimated_embodied_kgco2e, steady(estimated_total_kgco2e) AS estimated_total_kgco2e,
    steady(estimated_low_kgco2e) AS estimated_low_kgco2e, steady(estimated_high_kgco2e) AS estimated_high_kgco2e,
    compared_account_months, steady(ratio_scope2) AS ratio_scope2, steady(ratio_total) AS ratio_total,
    usage_rows, estimated_rows, cost, estimated_cost, currency
FROM accounts FULL JOIN reported USING (org_id, provider) FULL JOIN covered USING (org_id, provider)
ORDER BY ALL
