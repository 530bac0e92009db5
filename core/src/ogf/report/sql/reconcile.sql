-- Gaps between estimated and reported, the largest first, with what explains them. What a colon marks is filled in by
-- reconcile.py: :keys are the columns of the grain.
WITH gaps AS (
    -- Of accounts and months that have both figures: others have nothing to compare.
    SELECT :keys,
        fsum(reported_scope2_kgco2e) AS reported_scope2_kgco2e,
        fsum(reported_total_kgco2e) FILTER (reported_complete) AS reported_total_kgco2e,
        fsum(estimated_operational_kgco2e) AS estimated_operational_kgco2e,
        fsum(estimated_embodied_kgco2e) AS estimated_embodied_kgco2e,
        fsum(estimated_low_kgco2e) AS estimated_low_kgco2e, fsum(estimated_high_kgco2e) AS estimated_high_kgco2e,
        CAST(sum(usage_rows) AS BIGINT) AS usage_rows, CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows,
        CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows,
        CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
        if(count(DISTINCT currency) <= 1, sum(cost), NULL) AS cost,
        if(count(DISTINCT currency) <= 1, sum(estimated_cost), NULL) AS estimated_cost,
        if(count(DISTINCT currency) = 1, any_value(currency), NULL) AS currency
    FROM report_gaps SEMI JOIN (FROM report_accounts WHERE scope2_compared OR total_compared) AS pairs
        ON pairs.org_id = report_gaps.org_id AND pairs.provider = report_gaps.provider
        AND pairs."month" = report_gaps."month" AND pairs.account_id IS NOT DISTINCT FROM report_gaps.account_id
    GROUP BY ALL
), measured AS (
    SELECT *,
        estimated_operational_kgco2e + coalesce(estimated_embodied_kgco2e, 0) AS estimated_total_kgco2e,
        -- scope 2 with operational carbon: they count the same; totals only where there is no scope 2
        CASE WHEN reported_scope2_kgco2e IS NOT NULL THEN 'scope 2' WHEN reported_total_kgco2e IS NOT NULL THEN 'total'
            ELSE 'none' END AS compared
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
