-- AWS's carbon figures (source: one row for each account, service, region and month) as activities: one for each
-- figure. LBM is location-based, MBM market-based. mapping.py fills in the markers: the rows, where they come from, and
-- what they must be of (a month, a model version, a payer), NULL where that is not known beforehand.
WITH typed AS (
    :source
), units AS (
    SELECT map(list(unit), list(CAST(kg AS DOUBLE))) AS kg_in FROM aws_emission_units
), measured AS (
    SELECT typed.*, list_transform([
        {'scope': CAST(NULL AS TINYINT), 'method': 'location',
            'amount': total_lbm_emissions_value, 'unit': total_lbm_emissions_unit},
        {'scope': NULL, 'method': 'market', 'amount': total_mbm_emissions_value, 'unit': total_mbm_emissions_unit},
        {'scope': 1, 'method': NULL, 'amount': total_scope_1_emissions_value, 'unit': total_scope_1_emissions_unit},
        {'scope': 2, 'method': 'location',
            'amount': total_scope_2_lbm_emissions_value, 'unit': total_scope_2_lbm_emissions_unit},
        {'scope': 2, 'method': 'market',
            'amount': total_scope_2_mbm_emissions_value, 'unit': total_scope_2_mbm_emissions_unit},
        {'scope': 3, 'method': 'location',
            'amount': total_scope_3_lbm_emissions_value, 'unit': total_scope_3_lbm_emissions_unit},
        {'scope': 3, 'method': 'market',
            'amount': total_scope_3_mbm_emissions_value, 'unit': total_scope_3_mbm_emissions_unit}
    ], lambda item: {'scope': item.scope, 'method': item.method, 'amount': item.amount, 'unit': item.unit,
        'kg': item.amount * kg_in[lower(trim(item.unit))]}) AS every_figure
    FROM typed, units
), summed AS (
    SELECT *, every_figure[1].kg AS total_lbm, every_figure[2].kg AS total_mbm,
        list_filter([every_figure[3].kg, every_figure[4].kg, every_figure[6].kg], lambda kg: kg IS NOT NULL) AS parts_lbm,
        list_filter([every_figure[3].kg, every_figure[5].kg, every_figure[7].kg], lambda kg: kg IS NOT NULL) AS parts_mbm,
        coalesce(every_figure[4].kg, every_figure[6].kg) IS NOT NULL AS own_lbm,
        coalesce(every_figure[5].kg, every_figure[7].kg) IS NOT NULL AS own_mbm
    FROM measured
), compared AS (
    -- Scopes stand for the total where they make it up, each figure being rounded to a gram; else the total stands alone.
    SELECT *,
        list_filter(every_figure, lambda item: item.amount IS NOT NULL AND item.kg IS NULL)[1] AS without_unit,
        coalesce(abs(list_sum(parts_lbm) - total_lbm) <= 0.002 + 1e-9 * abs(total_lbm), total_lbm IS NULL AND own_lbm)
            AS is_split_lbm,
        coalesce(abs(list_sum(parts_mbm) - total_mbm) <= 0.002 + 1e-9 * abs(total_mbm), total_mbm IS NULL AND own_mbm)
            AS is_split_mbm
    FROM summed
), judged AS (
    SELECT *,
        CASE
            WHEN usage_account_id IS NULL THEN 'the usage account id is missing'
            WHEN usage_month IS NULL THEN 'the start of the usage period is missing or not a date'
            WHEN figure_unreadable OR len(list_filter(every_figure, lambda item: NOT isfinite(item.amount))) > 0
                THEN 'a figure is not a number'
            WHEN without_unit IS NOT NULL AND without_unit.unit IS NULL THEN 'the unit of a figure is missing'
            WHEN without_unit IS NOT NULL THEN 'the unit of a figure is not known: ' || without_unit.unit
            WHEN len(list_filter(every_figure, lambda item: item.amount IS NOT NULL)) = 0 THEN 'there is no figure'
            WHEN (len(parts_lbm) = 3 AND NOT is_split_lbm) OR (len(parts_mbm) = 3 AND NOT is_split_mbm)
                THEN 'the scopes do not add up to the total'
            WHEN strftime(usage_month, '%Y-%m') <> :month THEN 'the row is of another month than its place'
            WHEN lower(model_version) <> lower(:version) THEN 'the row is of another model version than its place'
            WHEN payer_account_id <> :payer
                THEN 'the row belongs to another payer than ingestion.aws.account_id: ' || payer_account_id
        END AS _reject
    FROM compared
), listed AS (
    -- What is absent stays absent, zero stays zero. Scope 1 is of both methods, unless one of them has a total only.
    SELECT *, CASE WHEN _reject IS NOT NULL THEN every_figure[1:1] ELSE list_filter(list_concat(
        CASE WHEN is_split_lbm THEN [every_figure[4], every_figure[6]] ELSE every_figure[1:1] END,
        CASE WHEN is_split_mbm THEN [every_figure[5], every_figure[7]] ELSE every_figure[2:2] END,
        CASE WHEN is_split_lbm OR is_split_mbm OR coalesce(total_lbm, total_mbm) IS NULL
            THEN list_transform(every_figure[3:3], lambda item: {'scope': item.scope,
                'method': CASE WHEN is_split_lbm AND NOT is_split_mbm THEN 'location'
                               WHEN is_split_mbm AND NOT is_split_lbm THEN 'market' END,
                'amount': item.amount, 'unit': item.unit, 'kg': item.kg}) ELSE [] END
        ), lambda item: item.kg IS NOT NULL) END AS figures
    FROM judged
), placed AS (
    SELECT listed.* EXCLUDE (figures), unnest(figures) AS figure, coalesce(region_code, named.code, place) AS region
    FROM listed
    LEFT JOIN aws_region_names AS named ON named.name = lower(trim(place))
)
SELECT
    ogf_id(payer_account_id, usage_account_id, product_code, region_code, place, usage_month, model_version,
        figure.scope, figure.method) AS activity_id,
    payer_account_id AS billing_account_id,
    usage_account_id AS account_id,
    product_code AS service,
    services.category AS category,
    'Usage' AS charge_category,
    region,
    CASE WHEN region IS NULL THEN 'GLOBAL' ELSE regions.location END AS location,
    ogf_utc(CAST(usage_month AS TIMESTAMP)) AS period_start,
    ogf_utc(CAST(usage_month AS TIMESTAMP) + INTERVAL 1 MONTH) AS period_end,
    figure.amount AS quantity,
    coalesce(canonical.canonical, figure.unit) AS unit,
    figure.kg AS emissions_kgco2e,
    figure.scope AS provider_scope,
    figure.method AS accounting,
    coalesce(model_version, :version) AS model_version,
    'measured' AS data_quality,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw
FROM placed
LEFT JOIN aws_services AS services ON services.name = lower(trim(product_code))
LEFT JOIN aws_regions AS regions
    ON regions.code = coalesce(nullif(regexp_extract(lower(trim(region)), '^[a-z]{2}(-[a-z]+)+-\d+'), ''), lower(trim(region)))
LEFT JOIN ogf_units AS canonical ON canonical.spelling = figure.unit
