-- Items of an ItemDetailsReport by Resource (source: one row with the list `value`, all texts) as activities.
-- mapping.py fills in the markers: the page, and month, scope and method of the request, for no item names them.
WITH items AS (
    SELECT unnest(value) AS item FROM :source
), typed AS (
    SELECT item, lower(ogf_text(trim(item.resourceId))) AS resource,
        coalesce(
            lower(ogf_text(trim(item.subscriptionId))),
            ogf_text(regexp_extract(lower(trim(item.resourceId)), '^/subscriptions/([^/]+)', 1))) AS subscription,
        lower(ogf_text(trim(item.itemName))) AS name,
        lower(ogf_text(trim(item.resourceType))) AS kind,
        ogf_text(trim(item.location)) AS region,
        TRY_CAST(item.latestMonthEmissions AS DOUBLE) AS kg,
        CAST(:month AS DATE) AS month
    FROM items
), joined AS (
    SELECT typed.*, coalesce(kinds.category, parents.category, namespaces.category) AS category,
        coalesce(regions.location, squeezed.location) AS region_location
    FROM typed
    -- The longest known part of the type decides: microsoft.compute/disks before microsoft.compute/*.
    LEFT JOIN azure_services AS kinds ON kinds.name = typed.kind
    LEFT JOIN azure_services AS parents
        ON parents.name = split_part(typed.kind, '/', 1) || '/' || split_part(typed.kind, '/', 2)
    LEFT JOIN azure_services AS namespaces ON namespaces.name = split_part(typed.kind, '/', 1) || '/*'
    -- As it is written first: `ch north` is not `chnorth`.
    LEFT JOIN azure_regions AS regions ON regions.code = regexp_replace(lower(trim(typed.region)), '^\([^)]*\) *', '')
    LEFT JOIN azure_regions AS squeezed ON squeezed.code = regexp_replace(regexp_replace(lower(trim(typed.region)), '^\([^)]*\) *', ''), '[ _-]', '', 'g')
), judged AS (
    SELECT *,
        CASE
            WHEN subscription IS NULL THEN 'the subscription is missing'
            WHEN coalesce(resource, name) IS NULL THEN 'the resource is missing'
            WHEN ogf_text(item.latestMonthEmissions) IS NULL THEN 'the emissions are missing'
            WHEN kg IS NULL OR NOT isfinite(kg) THEN 'the emissions are not a number'
        END AS _reject
    FROM joined
)
SELECT
    ogf_id(month, :scope, subscription, coalesce(resource, name), item.categoryType) AS activity_id,
    subscription AS account_id,
    resource AS resource_id,
    kind AS service,
    category,
    'Usage' AS charge_category,
    region,
    CASE WHEN region IS NULL OR lower(region) IN ('global', 'unassigned', 'unknown') THEN 'GLOBAL'
         ELSE region_location END AS location,
    ogf_utc(CAST(month AS TIMESTAMP)) AS period_start,
    ogf_utc(CAST(month AS TIMESTAMP) + INTERVAL 1 MONTH) AS period_end,
    kg AS emissions_kgco2e,
    CAST(:scope AS TINYINT) AS provider_scope,
    CAST(:accounting AS VARCHAR) AS accounting,
    'measured' AS data_quality,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(item) AS VARCHAR) END AS _raw
FROM judged
