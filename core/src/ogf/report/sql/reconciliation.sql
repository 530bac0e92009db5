-- Per month and provider, of the accounts that are both reported whole, location-based, and estimated.
SELECT "month", org_id, provider, count(*) FILTER (total_compared) AS accounts,
    steady(fsum(reported_scope2_kgco2e) FILTER (scope2_compared)) AS reported_scope2_kgco2e,
    steady(fsum(estimated_operational_kgco2e) FILTER (scope2_compared)) AS estimated_operational_kgco2e,
    steady(fsum(estimated_operational_kgco2e) FILTER (scope2_compared)
        / nullif(fsum(reported_scope2_kgco2e) FILTER (scope2_compared), 0)) AS ratio_scope2,
    steady(fsum(reported_total_kgco2e) FILTER (total_compared)) AS reported_total_kgco2e,
    steady(fsum(estimated_total_kgco2e) FILTER (total_compared))
        AS estimated_total_kgco2e,
    steady(fsum(estimated_low_kgco2e) FILTER (total_compared)) AS estimated_low_kgco2e,
    steady(fsum(estimated_high_kgco2e) FILTER (total_compared)) AS estimated_high_kgco2e,
    steady(fsum(estimated_total_kgco2e) FILTER (total_compared)
        / nullif(fsum(reported_total_kgco2e) FILTER (total_compared), 0)) AS ratio_total,
    CAST(sum(usage_rows) AS BIGINT) AS usage_rows, CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows
FROM report_accounts WHERE scope2_compared OR total_compared
GROUP BY "month", org_id, provider ORDER BY ALL
