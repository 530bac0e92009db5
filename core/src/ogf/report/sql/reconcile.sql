-- Gaps between estimated and reported, the largest first, with what explains them. What a colon marks is filled in by
-- reconcile.py: :keys are the columns of the grain.
WITH paired AS (
    -- Of accounts and months that have both figures: others have nothing to compare.
    SELECT g.*, a.scope2_compared, a.total_compared
    FROM report_gaps AS g JOIN report_accounts AS a
        ON a.org_id = g.org_id AND a.provider = g.provider AND a."month" = g."month" AND a.account_id IS NOT DISTINCT FROM g.account_id
    WHERE a.scope2_compared OR a.total_compared
), gaps AS (
    SELECT :keys,
        fsum(reported_scope2_kgco2e) AS reported_scope2_kgco2e,
        fsum(reported_total_kgco2e) FILTER (total_compared) AS reported_total_kgco2e,
        fsum(estimated_operational_kgco2e) FILTER (scope2_compared) AS operational_beside_scope2_kgco2e,
        fsum(estimated_operational_kgco2e) AS operational_kgco2e,
        fsum(estimated_total_kgco2e) FILTER (total_compared) AS estimated_total_kgco2e,
        bool_or(scope2_compared) AS by_scope2,
        fsum(estimated_low_kgco2e) FILTER (total_compared) AS estimated_low_kgco2e,
        fsum(estimated_high_kgco2e) FILTER (total_compared) AS estimated_high_kgco2e,
        CAST(sum(usage_rows) AS BIGINT) AS usage_rows, CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows,
        CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows,
        CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
        if(count(DISTINCT currency) <= 1, sum(cost), NULL) AS cost,
        if(count(DISTINCT currency) <= 1, sum(estimated_cost), NULL) AS estimated_cost,
        if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
    FROM paired
    GROUP BY ALL
), measured AS (
    SELECT *,
        -- scope 2 with operational carbon: they count the same; totals only where either is not told apart
        CASE WHEN reported_scope2_kgco2e IS NOT NULL AND by_scope2 THEN 'scope 2' WHEN reported_total_kgco2e IS NOT NULL THEN 'total'
            ELSE 'none' END AS compared,
        -- where some accounts are reported as a total alone, scope 2 is compared with what is estimated of the others
        if(compared = 'scope 2', operational_beside_scope2_kgco2e, operational_kgco2e) AS estimated_operational_kgco2e
    FROM gaps
)
SELECT :keys, compared,
    steady(CASE compared WHEN 'total' THEN coalesce(estimated_total_kgco2e, 0) - reported_total_kgco2e
        ELSE coalesce(estimated_operational_kgco2e, 0) - coalesce(reported_scope2_kgco2e, 0) END) AS gap_kgco2e,
    steady(reported_scope2_kgco2e) AS reported_scope2_kgco2e,
    steady(estimated_operational_kgco2e) AS estimated_operational_kgco2e,
    steady(estimated_operational_kgco2e / nullif(reported_scope2_kgco2e, 0)) AS ratio_scope2,
    steady(reported_total_kgco2e) AS reported_total_kgco2e, steady(estimated_total_kgco2e) AS estimated_total_kgco2e,
    steady(estimated_low_kgco2e) AS estimated_low_kgco2e, steady(estimated_high_kgco2e) AS estimated_high_kgco2e,
    steady(estimated_total_kgco2e / nullif(reported_total_kgco2e, 0)) AS ratio_total,
    usage_rows, estimated_rows, no_quantity_rows, unknown_region_rows, cost, estimated_cost, currency
FROM measured
WHERE coalesce(reported_scope2_kgco2e, reported_total_kgco2e, estimated_total_kgco2e) IS NOT NULL
ORDER BY abs(gap_kgco2e) DESC, :keys
