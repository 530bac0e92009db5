-- Rows of a cost query (source: one row with the list of positional rows, all texts) as activities: cost, no carbon.
-- mapping.py fills in the markers: the page, its columns by name, how many they are, what tells a row from another.
WITH lines AS (
    SELECT unnest(properties.rows) AS line FROM :source
), named AS (
    SELECT line, CAST([:key] AS VARCHAR) AS grouped,
        :picked
    FROM lines
), typed AS (
    SELECT *,
        coalesce(try_strptime(regexp_extract(day, '^\d{8}'), '%Y%m%d'), TRY_CAST(day AS TIMESTAMP)) AS starts,
        ogf_decimal_of_text(cost) AS amount,
        coalesce(lower(subscription), ogf_text(regexp_extract(:scope, '^subscriptions/([^/]+)', 1))) AS account,
        lower(service) AS service_name
    FROM named
), joined AS (
    SELECT typed.*, coalesce(kinds.category, parents.category, namespaces.category) AS category,
        coalesce(regions.location, squeezed.location) AS region_location
    FROM typed
    LEFT JOIN azure_services AS kinds ON kinds.name = service_name
    LEFT JOIN azure_services AS parents
        ON parents.name = split_part(service_name, '/', 1) || '/' || split_part(service_name, '/', 2)
    LEFT JOIN azure_services AS namespaces ON namespaces.name = split_part(service_name, '/', 1) || '/*'
    -- As it is written first: `ch north` is not `chnorth`.
    LEFT JOIN azure_regions AS regions ON regions.code = regexp_replace(lower(trim(place)), '^\([^)]*\) *', '')
    LEFT JOIN azure_regions AS squeezed ON squeezed.code = regexp_replace(regexp_replace(lower(trim(place)), '^\([^)]*\) *', ''), '[ _-]', '', 'g')
), judged AS (
    SELECT *,
        CASE
            WHEN len(line) <> :width THEN 'the row has not as many values as there are columns'
            WHEN cost IS NULL THEN 'the cost is missing'
            WHEN amount IS NULL THEN 'the cost is not a number'
            WHEN starts IS NULL THEN 'the day is missing or not a date'
            WHEN currency IS NULL THEN 'the currency is missing'
        END AS _reject
    FROM joined
)
SELECT
    ogf_id(:scope, grouped) AS activity_id,
    ogf_text(regexp_extract(:scope, 'billingaccounts/([^/]+)', 1)) AS billing_account_id,
    account AS account_id,
    subscription_name AS account_name,
    lower(resource) AS resource_id,
    service,
    category,
    meter AS usage_type,
    CASE lower(charge)
        WHEN 'usage' THEN 'Usage' WHEN 'unusedreservation' THEN 'Usage' WHEN 'unusedsavingsplan' THEN 'Usage'
        WHEN 'purchase' THEN 'Purchase' WHEN 'tax' THEN 'Tax' WHEN 'refund' THEN 'Credit' WHEN 'credit' THEN 'Credit'
        WHEN 'adjustment' THEN 'Adjustment' WHEN 'roundingadjustment' THEN 'Adjustment'
    END AS charge_category,
    place AS region,
    CASE WHEN place IS NULL OR lower(place) IN ('global', 'unassigned', 'unknown', 'all regions') THEN 'GLOBAL'
         ELSE region_location END AS location,
    ogf_utc(starts) AS period_start,
    ogf_utc(starts + INTERVAL 1 DAY) AS period_end,
    amount AS cost,
    currency,
    CASE WHEN tag_key IS NOT NULL AND tag_value IS NOT NULL THEN MAP {tag_key: tag_value} END AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(line) AS VARCHAR) END AS _raw
FROM judged
