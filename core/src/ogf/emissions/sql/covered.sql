
    -- `monthly`, where the rows with a physical quantity are those that the method estimates: found by asking it.
    SELECT * REPLACE (0 AS physical_rows, NULL AS physical_cost, 0 AS vcpu_rows) FROM monthly
    UNION ALL BY NAME
    SELECT org_id, provider, stream, "month", billing_account_id, account_id, service, category, usage_type, charge_category, region,
        currency, 0 AS row_count, :counts AS physical_rows, cost AS physical_cost,
        if(embodied_kgco2e IS NULL, 0, :counts) AS vcpu_rows, 0 AS negative_rows
    FROM monthly_estimates
