-- FOCUS rows (source: the columns of columns.csv, typed) as activities.
-- mapping.py fills in the markers: the projection of the file, the provider's lookup tables and name, the file's URI.
WITH typed AS (
    :source
), measured AS (
    SELECT *,
        -- Consumption is only there for usage that is not an unused commitment; the priced quantity is the next best.
        coalesce(ConsumedQuantity, PricingQuantity) AS amount,
        CASE WHEN ConsumedQuantity IS NOT NULL THEN ConsumedUnit ELSE PricingUnit END AS reported_unit,
        lower(trim(RegionId)) AS region_code
    FROM typed
), joined AS (
    SELECT measured.*, units.canonical AS canonical_unit,
        coalesce(services.category, kinds.category) AS category, regions.location AS region_location
    FROM measured
    LEFT JOIN ogf_units AS units ON units.spelling = reported_unit
    LEFT JOIN :services AS services ON services.name = lower(trim(ServiceName))
    LEFT JOIN ogf_focus_services AS kinds ON kinds.name = lower(trim(ServiceCategory))
    LEFT JOIN :regions AS regions ON regions.code = region_code
), judged AS (
    SELECT *,
        coalesce(canonical_unit, reported_unit) AS unit_of_amount,
        -- Per-hour figures of the SKU belong to hours of use, not to fees, taxes or other units.
        CASE WHEN ChargeCategory = 'Usage' AND canonical_unit = 'hours' THEN amount END AS hours_used,
        CASE
            WHEN BilledCost IS NULL AND raw_cost IS NULL THEN 'the billed cost is missing'
            WHEN BilledCost IS NULL THEN 'the billed cost is not a number'
            WHEN ChargePeriodStart IS NULL THEN 'the charge period''s start is missing or not a date'
            WHEN ChargePeriodEnd IS NULL THEN 'the charge period''s end is missing or not a date'
            WHEN BillingAccountId IS NULL THEN 'the billing account is missing'
            WHEN ConsumedQuantity IS NULL AND raw_consumed IS NOT NULL THEN 'the consumed quantity is not a number'
            WHEN map_unreadable THEN 'the tags or the SKU''s details are not JSON'
            WHEN ProviderName IS NOT NULL AND NOT regexp_matches(lower(ProviderName), :provider)
                THEN 'the row belongs to another provider, ' || ProviderName
        END AS _reject
    FROM joined
)
SELECT
    ogf_id(
        BillingAccountId, SubAccountId, ServiceName, SkuId, SkuPriceId, ResourceId, RegionId, ChargeCategory,
        ChargeClass, ChargeDescription, epoch_us(ChargePeriodStart), epoch_us(ChargePeriodEnd), reported_unit,
        CommitmentDiscountStatus, SkuMeter
    ) AS activity_id,
    BillingAccountId AS billing_account_id,
    coalesce(SubAccountId, BillingAccountId) AS account_id,
    SubAccountName AS account_name,
    ResourceId AS resource_id,
    ServiceName AS service,
    category,
    coalesce(x_UsageType, SkuMeter, SkuId) AS usage_type,
    x_Operation AS operation,
    SkuPriceDetails['InstanceType'] AS instance_type,
    ChargeCategory AS charge_category,
    RegionId AS region,
    CASE WHEN region_code IS NULL OR region_code IN ('global', 'any', 'none', 'unassigned', 'no region') THEN 'GLOBAL'
         ELSE region_location END AS location,
    ChargePeriodStart AS period_start,
    ChargePeriodEnd AS period_end,
    amount AS quantity,
    unit_of_amount AS unit,
    BilledCost AS cost,
    BillingCurrency AS currency,
    TRY_CAST(SkuPriceDetails['CoreCount'] AS DOUBLE) * hours_used AS vcpu_hours,
    TRY_CAST(SkuPriceDetails['MemorySize'] AS DOUBLE) * hours_used AS memory_gib_hours,
    TRY_CAST(SkuPriceDetails['GpuCount'] AS DOUBLE) * hours_used AS gpu_hours,
    ogf_map_of_pairs(Tags) AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw
FROM judged
