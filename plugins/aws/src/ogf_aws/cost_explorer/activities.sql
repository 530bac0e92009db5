-- Groups of GetCostAndUsage (source: one row with the list of results by time) as activities: cost, no carbon.
-- mapping.py fills in the markers: the page, what the second grouping is, whose costs these are.
WITH page AS (
    FROM :source
), results AS (
    SELECT unnest(ResultsByTime) AS result FROM page
), names AS (
    SELECT item."Value" AS id, any_value(item.Attributes['description']) AS name
    FROM (SELECT unnest(DimensionValueAttributes) AS item FROM page) GROUP BY id
), groups AS (
    SELECT result, unnest(result.Groups) AS item FROM results
), split AS (
    SELECT item, item."Keys" AS keys, coalesce(result.Estimated, false) AS estimated,
        TRY_CAST(result.TimePeriod."Start" AS TIMESTAMP) AS starts, TRY_CAST(result.TimePeriod."End" AS TIMESTAMP) AS ends,
        -- What is not known is written NoUsageType, NoRegion, NoOperation, NoInstanceType.
        CASE WHEN NOT regexp_full_match(item."Keys"[1], 'No[A-Z][A-Za-z]+') THEN ogf_text(item."Keys"[1]) END AS usage,
        CASE WHEN NOT regexp_full_match(item."Keys"[2], 'No[A-Z][A-Za-z]+') THEN ogf_text(item."Keys"[2]) END AS second,
        item.Metrics['UnblendedCost'] AS paid, item.Metrics['UsageQuantity'] AS used
    FROM groups
), picked AS (
    SELECT split.*, :tag AS tag,
        :picked,
        ogf_decimal_of_text(paid.Amount) AS amount,
        -- A sum over different units has none, and says nothing.
        CASE WHEN used."Unit" NOT IN ('', 'N/A') THEN used."Unit" END AS reported_unit,
        -- Which edge a CloudFront prefix names is an area, not a region: EU- there is not Ireland.
        CASE WHEN NOT contains(coalesce(second, ''), 'CloudFront') THEN split_part(usage, '-', 1) END AS usage_prefix
    FROM split
), joined AS (
    SELECT picked.* EXCLUDE (region),
        coalesce(picked.region, prefixes.code, CASE WHEN reported_unit IS NOT NULL AND usage_prefix IS NOT NULL
            THEN 'us-east-1' END) AS region,
        names.name AS account_name, services.category AS service_category,
        types.charge_category, units.canonical AS canonical_unit
    FROM picked
    LEFT JOIN names ON names.id = account_id
    LEFT JOIN aws_services AS services ON services.name = lower(trim(service))
    LEFT JOIN aws_region_prefixes AS prefixes ON prefixes.prefix = usage_prefix
    LEFT JOIN aws_line_item_types AS types ON types.line_item_type = record_type
    LEFT JOIN ogf_units AS units ON units.spelling = reported_unit
), judged AS (
    SELECT joined.*, regions.location AS region_location,
        CASE
            WHEN len(keys) <> 2 THEN 'the group has not two keys'
            WHEN starts IS NULL OR ends IS NULL THEN 'the period is missing or not a date'
            WHEN paid.Amount IS NULL THEN 'the cost is missing'
            WHEN amount IS NULL THEN 'the cost is not a number'
            WHEN used.Amount IS NOT NULL AND TRY_CAST(used.Amount AS DOUBLE) IS NULL THEN 'the usage is not a number'
        END AS _reject
    FROM joined LEFT JOIN aws_regions AS regions ON regions.code = lower(trim(region))
)
SELECT
    ogf_id(:account, :grouping, keys[1], keys[2], epoch_us(starts), epoch_us(ends)) AS activity_id,
    :account AS billing_account_id,
    account_id,
    account_name,
    service,
    CASE
        WHEN contains(usage, 'DataTransfer-') OR ends_with(usage, 'AWS-In-Bytes') OR ends_with(usage, 'AWS-Out-Bytes')
            OR ends_with(usage, '-Regional-Bytes') THEN 'data_transfer'
        WHEN contains(usage, 'EBS:') THEN 'cloud_storage'
        ELSE service_category
    END AS category,
    usage AS usage_type,
    operation,
    instance_type,
    charge_category,
    region,
    CASE WHEN region IS NULL OR lower(region) = 'global' THEN 'GLOBAL' ELSE region_location END AS location,
    ogf_utc(starts) AS period_start,
    ogf_utc(ends) AS period_end,
    CASE WHEN reported_unit IS NOT NULL THEN TRY_CAST(used.Amount AS DOUBLE) END AS quantity,
    coalesce(canonical_unit, reported_unit) AS unit,
    amount AS cost,
    paid."Unit" AS currency,
    ogf_map_of_pairs([tag, {'k': 'ce:estimated', 'v': CASE WHEN estimated THEN 'true' END}]) AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(item) AS VARCHAR) END AS _raw
FROM judged
