-- Cloud Billing rows (source: the columns of columns.csv, typed) as activities. A credit is a row of its own, so
-- that the sum of cost is net and nothing is multiplied.
-- mapping.py fills in the markers: the projection of the file, its URI as a literal, and physical.sql.
WITH typed AS (
    :source
), split AS (
    SELECT typed.* EXCLUDE (credits, cost), coalesce(place_region, place) AS region,
        unnest(list_concat([NULL], coalesce(credits, []))) AS credit,
        unnest(range(len(coalesce(credits, [])) + 1)) AS line, cost AS own_cost
    FROM typed
), priced AS (
    SELECT *,
        CASE WHEN line = 0 THEN own_cost ELSE ogf_decimal_of_text(credit.amount) END AS cost,
        CASE WHEN line = 0 THEN coalesce(amount, priced_amount) END AS quantity,
        CASE WHEN line = 0 THEN CASE WHEN amount IS NOT NULL THEN usage_unit ELSE pricing_unit END END
            AS reported_unit,
        lower(trim(service_name)) AS service_key,
        ogf_value_of(system_labels, 'compute.googleapis.com/machine_spec') AS machine
    FROM split
), joined AS (
    SELECT priced.*, units.canonical AS canonical_unit, coalesce(services.category, ids.category) AS category,
        regions.location AS region_location, units.dimension, quantity * units.scale AS scaled
    FROM priced
    LEFT JOIN (
        SELECT spelling, canonical, dimension, CAST(multiply AS DOUBLE) / CAST(divide AS DOUBLE) AS scale
        FROM ogf_units LEFT JOIN ogf_scales ON unit = canonical
    ) AS units ON units.spelling = reported_unit
    LEFT JOIN gcp_services AS services ON services.name = service_key
    LEFT JOIN gcp_services AS ids ON ids.name = lower(trim(service_id))
    LEFT JOIN gcp_regions AS regions ON regions.code = regexp_replace(lower(trim(region)), '-[a-z]$', '')
), :physical, judged AS (
    SELECT *,
        CASE
            -- A credit without its charge would make the sum less than net.
            WHEN own_cost IS NULL AND raw_cost IS NULL THEN 'the cost is missing'
            WHEN own_cost IS NULL THEN 'the cost is not a number'
            WHEN cost IS NULL THEN 'a credit''s amount is missing or not a number'
            WHEN usage_start_time IS NULL THEN 'the usage start is missing or not a date'
            WHEN usage_end_time IS NULL THEN 'the usage end is missing or not a date'
            WHEN billing_account_id IS NULL THEN 'the billing account is missing'
            WHEN amount IS NULL AND raw_amount IS NOT NULL THEN 'the usage amount is not a number'
            WHEN list_unreadable THEN 'the credits, labels or tags are no lists'
        END AS _reject
    FROM physical
)
SELECT
    ogf_id(
        billing_account_id, coalesce(project_id, project_number), service_id, sku_id,
        coalesce(resource_global_name, resource_name), region, epoch_us(usage_start_time), epoch_us(usage_end_time),
        cost_type, invoice_month, epoch_us(export_time), currency, labels, line, credit.name, own_cost
    ) AS activity_id,
    billing_account_id,
    coalesce(project_id, project_number) AS account_id,
    project_name AS account_name,
    coalesce(resource_global_name, resource_name) AS resource_id,
    coalesce(service_name, service_id) AS service,
    category,
    coalesce(sku_name, sku_id) AS usage_type,
    coalesce(credit.type, credit.name) AS operation,
    machine AS instance_type,
    CASE WHEN line > 0 THEN 'Credit'
         ELSE CASE cost_type WHEN 'regular' THEN 'Usage' WHEN 'tax' THEN 'Tax'
              WHEN 'adjustment' THEN 'Adjustment' WHEN 'rounding_error' THEN 'Adjustment' END
    END AS charge_category,
    region,
    CASE WHEN region IS NULL THEN 'GLOBAL' ELSE region_location END AS location,
    usage_start_time AS period_start,
    usage_end_time AS period_end,
    quantity,
    coalesce(canonical_unit, reported_unit) AS unit,
    cost,
    currency,
    vcpu_hours, memory_gib_hours, gpu_hours, storage_gib_hours, storage_media, replication, network_gib,
    network_route, processor, gpu_model,
    ogf_map_of_pairs(list_concat(system_labels, tags, labels)) AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw
FROM judged
