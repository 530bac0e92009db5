-- Share of usage with an estimate, and why the rest has none. A stream and a currency are never mixed with another.
SELECT org_id, provider, stream, service, currency, CAST(sum(usage_rows) AS BIGINT) AS usage_rows,
    CAST(sum(estimated_rows) AS BIGINT) AS estimated_rows,
    CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows,
    CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
    sum(cost) AS cost, coalesce(sum(estimated_cost), 0) AS estimated_cost,
    sum(estimated_rows) / nullif(sum(usage_rows), 0) AS share_of_rows,
    -- credits and corrections can make a cost negative: a share of that says nothing
    if(sum(cost) > 0, greatest(0, least(1, CAST(coalesce(sum(estimated_cost), 0) AS DOUBLE) / CAST(sum(cost) AS DOUBLE))), NULL)
        AS share_of_cost
FROM report_coverage GROUP BY org_id, provider, stream, service, currency
ORDER BY cost DESC NULLS LAST, usage_rows DESC, provider, stream, service, currency, org_id
