-- Cost details (source: the columns of columns.csv, typed) as activities. A row is a day of one meter's use, a
-- purchase, a refund, a tax or what a reservation left unused.
-- mapping.py fills in the markers: the projection of the file, its URI as a literal, and physical.sql.
WITH units AS (
    SELECT spelling, canonical, dimension, CAST(multiply AS DOUBLE) / CAST(divide AS DOUBLE) AS scale
    FROM ogf_units LEFT JOIN ogf_scales ON unit = canonical
    UNION ALL
    SELECT unit, NULL, dimension, CAST(multiply AS DOUBLE) / CAST(divide AS DOUBLE)
    FROM ogf_scales ANTI JOIN ogf_units ON spelling = unit
), typed AS (
    :source
), measured AS (
    SELECT typed.* EXCLUDE (resource_id, subscription_id, billing_account_id, resource_group, usage_date),
        lower(resource_id) AS resource_id,
        lower(billing_account_id) AS billing_account_id,
        -- What belongs to no subscription names none (newer exports) or nobody's.
        nullif(regexp_replace(lower(subscription_id), '^/subscriptions/', ''), '00000000-0000-0000-0000-000000000000')
            AS subscription_id,
        nullif(lower(resource_group), 'unassigned') AS resource_group,
        CASE WHEN contains(usage_date, '/')
             THEN try_strptime(usage_date, ['%m/%d/%Y', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y %I:%M:%S %p'])
             ELSE timezone('UTC', TRY_CAST(usage_date AS TIMESTAMPTZ)) END AS usage_day,
        -- Older Enterprise Agreement exports leave the braces out.
        CASE WHEN tags IS NULL OR starts_with(trim(tags), '{') THEN tags ELSE '{' || tags || '}' END AS tags_json,
        TRY_CAST(CASE WHEN starts_with(trim(additional_info), '{') THEN additional_info
                      ELSE '{' || additional_info || '}' END AS JSON) AS info,
        -- `100 Hours`, `10K`, `1 GB/Month`: prices are per block, quantities are not.
        trim(regexp_replace(replace(unit_of_measure, chr(160), ' '), '^\s*[0-9][0-9.,]*\s*([KMB]\b)?\s*', ''))
            AS unit_in_block,
        lower(trim(regexp_replace(resource_location, '^\s*\([^)]*\)', ''))) AS place,
        lower(nullif(coalesce(
            resource_type, regexp_extract(resource_id, '(?i)/providers/([^/]+/[^/]+)/[^/]+(?:/[^/]+/[^/]+)*$', 1)), ''))
            AS kind_of_resource
    FROM typed
), unitary AS (
    SELECT *,
        CASE WHEN unit_of_measure IS NULL OR lower(unit_in_block) = 'unassigned' THEN NULL
             WHEN unit_in_block = '' THEN '1'
             WHEN starts_with(unit_in_block, '/') THEN '1' || unit_in_block
             ELSE unit_in_block END AS reported_unit,
        info ->> '$.ServiceType' AS service_type,
        -- Services that are no machines write other things there.
        coalesce(regexp_matches(service_type, '^(standard|basic)_', 'i'), false) AS is_size,
        TRY_CAST(info ->> '$.VCPUs' AS DOUBLE) AS vcpus,
        info ->> '$.UsageType' AS usage_kind
    FROM measured
), joined AS (
    SELECT unitary.*, coalesce(units.canonical, folded.canonical) AS canonical_unit,
        coalesce(units.dimension, folded.dimension) AS dimension,
        usage_quantity * coalesce(units.scale, folded.scale) AS scaled,
        coalesce(services.category, kinds.category, families.category) AS category,
        coalesce(regions.location, squeezed.location) AS region_location
    FROM unitary
    LEFT JOIN units ON units.spelling = reported_unit
    LEFT JOIN (
        SELECT lower(spelling) AS spelling, any_value(canonical) AS canonical, any_value(dimension) AS dimension,
            any_value(scale) AS scale
        FROM units GROUP BY ALL
    ) AS folded ON folded.spelling = lower(reported_unit)
    LEFT JOIN azure_services AS services ON services.name = lower(trim(meter_category))
    LEFT JOIN azure_services AS kinds ON kinds.name = kind_of_resource
    LEFT JOIN azure_services AS families ON families.name = split_part(kind_of_resource, '/', 1) || '/*'
    LEFT JOIN azure_regions AS regions ON regions.code = place
    LEFT JOIN azure_regions AS squeezed ON squeezed.code = regexp_replace(place, '[ _-]', '', 'g')
), charged AS (
    SELECT *,
        CASE WHEN usage_only THEN 'Usage'
             ELSE CASE lower(replace(charge_type, ' ', ''))
                 WHEN 'usage' THEN 'Usage' WHEN 'unusedreservation' THEN 'Usage' WHEN 'unusedsavingsplan' THEN 'Usage'
                 WHEN 'purchase' THEN 'Purchase' WHEN 'refund' THEN 'Purchase' WHEN 'tax' THEN 'Tax'
                 WHEN 'credit' THEN 'Credit' WHEN 'adjustment' THEN 'Adjustment'
                 WHEN 'roundingadjustment' THEN 'Adjustment' END
        END AS charge_category,
        -- Not what a reservation left unused.
        usage_only OR lower(charge_type) = 'usage' AS is_use,
        CASE
            WHEN billed_cost IS NULL AND raw_cost IS NULL THEN 'the cost is missing'
            WHEN billed_cost IS NULL THEN 'the cost is not a number'
            WHEN usage_day IS NULL THEN 'the date is missing or not a date'
            WHEN usage_quantity IS NULL AND raw_quantity IS NOT NULL THEN 'the quantity is not a number'
            WHEN ogf_is_no_map(tags_json) THEN 'the tags are not JSON'
        END AS _reject
    FROM joined
), :physical
SELECT
    ogf_id(
        billing_account_id, subscription_id, resource_id, resource_group, meter_id, meter_name,
        coalesce(reservation_id, benefit_id, product_order_id), charge_type, place, epoch_us(usage_day),
        usage_quantity, billed_cost, unit_price, tags_json, info, billing_currency
    ) AS activity_id,
    billing_account_id,
    coalesce(subscription_id, billing_account_id) AS account_id,
    subscription_name AS account_name,
    resource_id,
    coalesce(meter_category, consumed_service) AS service,
    category,
    coalesce(meter_name, meter_id) AS usage_type,
    usage_kind AS operation,
    machine AS instance_type,
    charge_category,
    resource_location AS region,
    CASE WHEN place IS NULL OR place IN (
             '', 'global', 'any', 'none', 'unassigned', 'unknown', 'no region', 'azurestack', 'all regions')
         THEN 'GLOBAL' ELSE region_location END AS location,
    make_timestamptz(epoch_us(date_trunc('day', usage_day))) AS period_start,
    make_timestamptz(epoch_us(date_trunc('day', usage_day) + INTERVAL 1 DAY)) AS period_end,
    usage_quantity AS quantity,
    coalesce(canonical_unit, reported_unit) AS unit,
    billed_cost AS cost,
    billing_currency AS currency,
    vcpu_hours, memory_gib_hours, gpu_hours, storage_gib_hours, storage_media, replication, network_gib,
    network_route, processor, gpu_model,
    ogf_map_of_pairs(ogf_pairs_of_json(tags_json)) AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw
FROM physical
