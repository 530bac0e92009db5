-- Loads added up by month, and by everything that the arithmetic or a report tells apart. Estimates are linear in the
-- quantities, so that the sum of the rows' estimates is the estimate of their sums.
INSERT INTO monthly_log BY NAME
SELECT * EXCLUDE (physical), if(physical, row_count, 0) AS physical_rows, if(physical, cost, NULL) AS physical_cost
FROM (
    SELECT load_id, CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE) AS "month",
        billing_account_id, account_id, max(account_name) AS account_name, service, category, usage_type, operation, instance_type,
        charge_category, region, max(location) AS location, sum(quantity) AS quantity, unit, sum(cost) AS cost, currency,
        sum(vcpu_hours) AS vcpu_hours, sum(memory_gib_hours) AS memory_gib_hours, sum(gpu_hours) AS gpu_hours,
        sum(storage_gib_hours) AS storage_gib_hours, storage_media, replication, sum(network_gib) AS network_gib, network_route,
        processor, gpu_model, fsum(emissions_kgco2e) AS emissions_kgco2e, provider_scope, accounting, model_version, data_quality,
        coalesce(vcpu_hours, memory_gib_hours, gpu_hours, storage_gib_hours, network_gib) IS NOT NULL AS physical,
        count(*) AS row_count, count(vcpu_hours) AS vcpu_rows, count(*) FILTER (quantity < 0) AS negative_rows,
        count(*) FILTER (cost <> 0) AS priced_rows
    FROM activity_log
    WHERE load_id IN (:loads)
    GROUP BY ALL)
