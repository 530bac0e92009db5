-- FOCUS rows (source: the columns of columns.csv, typed) as activities.
-- mapping.py fills in the markers: the projection of the file, the provider's lookup tables and name, the file's URI.
-- A usage type of the provider's, where the file has one and the provider a table of them, says what a row counts
-- (meter_code: the service's); else meters.csv does, by what the SKU's details say (meter_code `focus`).
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
        -- Hours that a commitment left unused ran nowhere; a licence runs on a machine with a row of its own.
        ChargeCategory = 'Usage' AND CommitmentDiscountStatus IS DISTINCT FROM 'Unused'
            AND NOT contains(lower(coalesce(x_SkuMeterCategory, '')), 'license') AS counts,
        CASE WHEN :has_meters THEN coalesce(x_UsageType, CASE
            WHEN regexp_matches(SkuMeter, '^[A-Za-z0-9.:_-]*[:-][A-Za-z0-9.:_-]*$') THEN SkuMeter END) END AS metered,
        coalesce(SkuPriceDetails['InstanceType'], x_SkuDetails['ServiceType']) AS machine,
        coalesce(SkuPriceDetails['CoreCount'], x_SkuDetails['VCPUs']) AS cores,
        lower(coalesce(SkuPriceDetails['DiskType'], SkuPriceDetails['StorageClass'])) AS medium,
        lower(SkuPriceDetails['Redundancy']) AS redundancy,
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
    machine AS instance_type,
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
    ogf_map_of_pairs(Tags) AS tags,
    :uri AS source,
    _reject,
    CASE WHEN _reject IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS _raw,
    CASE WHEN counts THEN CASE
        WHEN left(metered, strpos(metered, '-') - 1) IN (SELECT prefix FROM :prefixes)
            THEN substr(metered, strpos(metered, '-') + 1)
        WHEN metered IS NOT NULL THEN metered
        WHEN canonical_unit = 'hours'
            THEN CASE WHEN coalesce(machine, cores, SkuPriceDetails['MemorySize'], SkuPriceDetails['GpuCount']) IS NOT NULL
                      THEN 'machine:' || coalesce(machine, '') END
        WHEN SkuPriceDetails['x_TransferType'] IS NOT NULL
            -- What a gateway or balancer handles is billed once more where it leaves.
            THEN CASE WHEN NOT contains(lower(coalesce(ResourceType, '')), 'gateway')
                      THEN 'transfer ' || lower(SkuPriceDetails['x_TransferType']) END
        WHEN lower(ServiceCategory) = 'storage' OR medium IS NOT NULL OR SkuPriceDetails['DiskSpace'] IS NOT NULL
            THEN 'storage ' || CASE WHEN regexp_matches(medium, 'ssd|premium|nvme|gp[23]|io[12]') THEN 'ssd'
                                    WHEN medium IS NOT NULL THEN 'hdd' ELSE 'any' END
                || CASE WHEN redundancy IN ('lrs', 'zrs', 'grs', 'ragrs', 'ra-grs', 'gzrs', 'ragzrs', 'ra-gzrs')
                        THEN ' ' || replace(redundancy, '-', '') ELSE '' END
        WHEN lower(ServiceCategory) = 'compute' THEN 'compute'
    END END AS meter_usage_type,
    CASE WHEN metered IS NULL THEN 'focus' ELSE coalesce(x_ServiceCode, ServiceName) END AS meter_code,
    cores AS meter_reported_vcpu,
    SkuPriceDetails['MemorySize'] AS meter_reported_memory,
    SkuPriceDetails['GpuCount'] AS meter_reported_gpus
FROM judged
