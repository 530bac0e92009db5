-- What has no estimate, the dearest first.
SELECT org_id, provider, stream, service, usage_type, currency,
    CAST(sum(usage_rows - estimated_rows) AS BIGINT) AS rows_without_estimate,
    CAST(sum(no_quantity_rows) AS BIGINT) AS no_quantity_rows,
    CAST(sum(unknown_region_rows) AS BIGINT) AS unknown_region_rows,
    coalesce(sum(cost), 0) - coalesce(sum(estimated_cost), 0) AS cost_without_estimate
FROM report_coverage GROUP BY org_id, provider, stream, service, usage_type, currency
HAVING sum(usage_rows - estimated_rows) > 0
ORDER BY cost_without_estimate DESC, rows_without_estimate DESC, provider, stream, service, usage_type, currency, org_id
