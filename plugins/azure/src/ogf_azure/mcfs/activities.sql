-- Emissions of an enrolment (source: one row with the list `value`, all texts) as activities.
-- mapping.py fills in two markers: the page, and its URI as a literal.
WITH items AS (
    SELECT unnest(value) AS item FROM :source
), typed AS (
    SELECT item,
        lower(ogf_text(trim(item.subscriptionId))) AS subscription,
        ogf_text(trim(item.enrollmentId)) AS enrollment,
        ogf_text(trim(item.azureServiceName)) AS service,
        ogf_text(trim(item.azureRegionName)) AS region,
        try_strptime(regexp_extract(item.dateKey, '^\d{6}'), '%Y%m') AS month,
        coalesce(ogf_text(item.scopeId), regexp_extract(lower(item.scope), '^scope ?(\d)$', 1)) AS scope,
        -- Metric tons as kg, by moving the point: 0.0123 t are 12.3 kg, which 0.0123 times 1000 is not.
        CASE WHEN regexp_full_match(item.totalEmissions, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?')
             THEN TRY_CAST(regexp_extract(item.totalEmissions, '^[^eE]+') || 'e' || CAST(
                 3 + coalesce(TRY_CAST(regexp_extract(item.totalEmissions, '[eE](.+)$', 1) AS INTEGER), 0)
                 AS VARCHAR) AS DOUBLE) END AS kg
    FROM items
), joined AS (
    SELECT typed.*, services.category, coalesce(regions.location, squeezed.location) AS region_location
    FROM typed
    LEFT JOIN azure_services AS services ON services.name = lower(typed.service)
    -- As it is written first: `ch north` is not `chnorth`.
    LEFT JOIN azure_regions AS regions ON regions.code = regexp_replace(lower(trim(typed.region)), '^\([^)]*\) *', '')
    LEFT JOIN azure_regions AS squeezed ON squeezed.code = regexp_replace(regexp_replace(lower(trim(typed.region)), '^\([^)]*\) *', ''), '[ _-]', '', 'g')
), judged AS (
    SELECT *,
        CASE
            WHEN month IS NULL THEN 'the month is missing or not a date'
            WHEN scope IS NULL OR scope NOT IN ('1', '2', '3') THEN 'the scope is none of 1, 2 and 3'
            WHEN ogf_text(item.totalEmissions) IS NULL THEN 'the emissions are missing'
            WHEN kg IS NULL THEN 'the emissions are not a number'
        END AS _reject
    FROM joined
)
SELECT
    ogf_id(month, scope, enrollment, subscription, lower(service), lower(item.subService), lower(region))
        AS activity_id,
    enrollment AS billing_account_id,
    subscription AS account_id,
    ogf_text(item.subscriptionName) AS account_name,
    service,
    category,
    ogf_text(item.subService) AS usage_type,
    'Usage' AS charge_category,
    region,
    CASE WHEN region IS NULL OR lower(region) IN ('global', 'unassigned', 'unknown') THEN 'GLOBAL'
         ELSE region_location END AS location,
    ogf_utc(month) AS period_start,
    ogf_utc(month + INTERVAL 1 MONTH) AS period_end,
    kg AS emissions_kgco2e,
    TRY_CAST(scope AS TINYINT) AS provider_scope,
    CASE WHEN scope = '2' THEN 'market' END AS accounting,
    'measured' AS data_quality,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(item) AS VARCHAR) END AS _raw
FROM judged
