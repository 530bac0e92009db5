-- CUR rows (source: the columns of columns.csv, typed) as activities, and what `ogf.physical` needs to measure them.
-- mapping.py fills in two markers: the projection of the file, and its URI as a literal.
WITH typed AS (
    :source
), placed AS (
    SELECT typed.*,
        left(line_item_usage_type, strpos(line_item_usage_type, '-') - 1) AS usage_prefix,
        -- Which edge a CloudFront prefix names is an area, not a region: EU- there is not Ireland.
        region_reported IS NULL AND line_item_availability_zone IS NULL AND line_item_product_code <> 'AmazonCloudFront'
            AND line_item_usage_type IS NOT NULL AS prefix_places,
        contains(line_item_usage_type, 'DataTransfer-')
            OR ends_with(line_item_usage_type, 'AWS-In-Bytes') OR ends_with(line_item_usage_type, 'AWS-Out-Bytes')
            OR ends_with(line_item_usage_type, '-Regional-Bytes')
            OR (contains(line_item_usage_type, '-XAZ-') AND ends_with(line_item_usage_type, '-Bytes'))
            AS is_transfer
    FROM typed
), joined AS (
    SELECT placed.*, types.charge_category, units.canonical AS canonical_unit, services.category AS service_category,
        regions.location AS region_location,
        coalesce(
            region_reported,
            named.code,
            CASE WHEN line_item_availability_zone <> ''
                 THEN nullif(regexp_extract(line_item_availability_zone, '^[a-z]{2}(-[a-z]+)+-\d+'), '') END,
            prefixes.code,
            product_location,  -- a name in no table is still better than none: it is counted as unmapped
            CASE WHEN prefix_places AND types.charge_category = 'Usage' THEN 'us-east-1' END
        ) AS region,
        -- What splits a row's cost among its tenants is that row's use over again.
        types.charge_category = 'Usage' AND split_line_item_parent_resource_id IS NULL AS counts,
        CASE WHEN usage_prefix IN (SELECT prefix FROM aws_region_prefixes)
             THEN substr(line_item_usage_type, length(usage_prefix) + 2) ELSE line_item_usage_type END AS bare_usage_type
    FROM placed
    LEFT JOIN aws_line_item_types AS types ON types.line_item_type = line_item_line_item_type
    LEFT JOIN ogf_units AS units ON units.spelling = pricing_unit
    LEFT JOIN aws_services AS services ON services.name = lower(trim(line_item_product_code))
    LEFT JOIN aws_regions AS regions ON regions.code = lower(trim(region_reported))
    LEFT JOIN aws_region_names AS named ON named.name = lower(trim(product_location))
    LEFT JOIN aws_region_prefixes AS prefixes ON prefixes.prefix = CASE WHEN prefix_places THEN usage_prefix END
), judged AS (
    SELECT *,
        CASE
            WHEN line_item_usage_account_id IS NULL THEN 'the usage account id is missing'
            WHEN line_item_product_code IS NULL THEN 'the product code is missing'
            WHEN line_item_usage_start_date IS NULL THEN 'the usage start is missing or not a date'
            WHEN line_item_usage_end_date IS NULL THEN 'the usage end is missing or not a date'
            WHEN line_item_unblended_cost IS NULL AND raw_cost IS NOT NULL THEN 'the unblended cost is not a number'
            WHEN line_item_usage_amount IS NULL AND raw_amount IS NOT NULL THEN 'the usage amount is not a number'
            WHEN map_unreadable THEN 'the tags or the product are not a JSON object'
        END AS _reject
    FROM joined
)
SELECT
    ogf_id(
        bill_payer_account_id, line_item_usage_account_id, line_item_product_code, line_item_usage_type,
        line_item_operation, line_item_resource_id, line_item_line_item_type, line_item_unblended_rate,
        epoch_us(line_item_usage_start_date), epoch_us(line_item_usage_end_date)
    ) AS activity_id,
    bill_payer_account_id AS billing_account_id,
    line_item_usage_account_id AS account_id,
    line_item_usage_account_name AS account_name,
    line_item_resource_id AS resource_id,
    line_item_product_code AS service,
    CASE
        WHEN product_servicecode = 'AWSDataTransfer' OR is_transfer THEN 'data_transfer'
        WHEN line_item_product_code = 'AmazonEC2' AND (
            contains(line_item_usage_type, 'EBS:') OR product_product_family IN (
                'Storage', 'Storage Snapshot', 'Provisioned Throughput', 'System Operation'))
            THEN 'cloud_storage'
        WHEN line_item_product_code = 'AmazonEC2' AND (
            product_product_family IN ('NAT Gateway', 'IP Address') OR starts_with(product_product_family, 'Load Balancer'))
            THEN 'cloud_network'
        WHEN contains(line_item_usage_type, 'Fargate-') THEN 'cloud_compute_containers'
        WHEN ends_with(product_product_name, '(Amazon Bedrock Edition)') THEN 'cloud_ai'
        ELSE service_category
    END AS category,
    line_item_usage_type AS usage_type,
    line_item_operation AS operation,
    product_instance_type AS instance_type,
    CASE WHEN charge_category IS NOT NULL THEN charge_category
         WHEN ends_with(line_item_line_item_type, 'Discount') THEN 'Adjustment' END AS charge_category,
    region,
    CASE
        WHEN region IS NULL THEN 'GLOBAL'
        WHEN region_location IS NOT NULL THEN region_location
        ELSE (SELECT map(list(code), list(location)) FROM aws_regions)[
            coalesce(nullif(regexp_extract(lower(region), '^[a-z]{2}(-[a-z]+)+-\d+'), ''), lower(region))]
    END AS location,
    line_item_usage_start_date AS period_start,
    line_item_usage_end_date AS period_end,
    line_item_usage_amount AS quantity,
    coalesce(canonical_unit, pricing_unit) AS unit,
    line_item_unblended_cost AS cost,
    line_item_currency_code AS currency,
    tags_map AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw,
    -- For the physical columns.
    CASE WHEN counts THEN bare_usage_type END AS meter_usage_type,
    line_item_product_code AS meter_code,
    product_vcpu AS meter_reported_vcpu,
    product_memory AS meter_reported_memory,
    CAST(NULL AS VARCHAR) AS meter_reported_gpus
FROM judged
