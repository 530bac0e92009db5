-- Per account and month of one load: how many rows report carbon, how many can be estimated, and whether the reported
-- ones hold scope 2 (or a total) by either accounting. Without scope 2 a reported figure is no whole.
INSERT INTO load_months
SELECT load_id, account_id, CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE) AS "month", count(*),
    count(emissions_kgco2e),
    count(*) FILTER (emissions_kgco2e IS NULL AND coalesce(
        vcpu_hours, memory_gib_hours, gpu_hours, storage_gib_hours, network_gib) IS NOT NULL),
    coalesce(bool_or(coalesce(provider_scope, 2) = 2 AND coalesce(accounting, 'location') = 'location')
        FILTER (emissions_kgco2e IS NOT NULL), false),
    coalesce(bool_or(coalesce(provider_scope, 2) = 2 AND coalesce(accounting, 'market') = 'market')
        FILTER (emissions_kgco2e IS NOT NULL), false)
FROM activity_log
WHERE load_id IN (:loads)
GROUP BY ALL
