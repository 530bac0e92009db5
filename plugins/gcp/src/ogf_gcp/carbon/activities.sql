-- Carbon Footprint rows (source: the columns of columns.csv, typed) as activities: one for each figure that is there.
-- mapping.py fills in two markers: the projection of the file, and its URI as a literal.
WITH typed AS (
    :source
), placed AS (
    SELECT *, coalesce(place_region, place) AS region, nullif(project_number, '') AS number,
        [{'scope': 1, 'accounting': NULL, 'kg': scope1},
         {'scope': 2, 'accounting': 'location', 'kg': scope2_location},
         {'scope': 2, 'accounting': 'market', 'kg': scope2_market},
         {'scope': 3, 'accounting': NULL, 'kg': scope3}] AS every_figure
    FROM typed
), split AS (
    -- A figure that is absent stays absent, zero stays zero. A row without any is refused, not dropped.
    SELECT * EXCLUDE (every_figure), unnest(coalesce(
        nullif(list_filter(every_figure, lambda item: item.kg IS NOT NULL), []), every_figure[1:1])) AS figure
    FROM placed
), joined AS (
    SELECT split.*, coalesce(services.category, ids.category) AS category, regions.location AS region_location
    FROM split
    LEFT JOIN gcp_services AS services ON services.name = lower(trim(service_name))
    LEFT JOIN gcp_services AS ids ON ids.name = lower(trim(service_id))
    LEFT JOIN gcp_regions AS regions ON regions.code = regexp_replace(lower(trim(region)), '-[a-z]$', '')
), judged AS (
    SELECT *,
        CASE
            WHEN usage_month IS NULL THEN 'the usage month is missing or not a date'
            WHEN figure_unreadable THEN 'a figure is not a number'
            WHEN figure.kg IS NULL THEN 'no scope has a figure (tables of before July 2022 have none)'
        END AS _reject
    FROM joined
)
SELECT
    -- With the project's id: before December 2023 one project may have two rows, of which one has lost it.
    ogf_id(usage_month, billing_account_id, number, project_id, service_id, service_name, place,
        figure.scope, figure.accounting) AS activity_id,
    billing_account_id,
    coalesce(project_id, number) AS account_id,
    coalesce(service_name, service_id) AS service,
    category,
    'Usage' AS charge_category,
    region,
    CASE WHEN region IS NULL THEN 'GLOBAL' ELSE region_location END AS location,
    ogf_utc(CAST(usage_month AS TIMESTAMP)) AS period_start,
    ogf_utc(CAST(usage_month AS TIMESTAMP) + INTERVAL 1 MONTH) AS period_end,
    figure.kg AS emissions_kgco2e,
    figure.scope AS provider_scope,
    figure.accounting AS accounting,
    carbon_model_version AS model_version,
    'measured' AS data_quality,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw
FROM judged
