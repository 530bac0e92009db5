-- Physical quantities of cost details (charged): what a meter's name and unit say that was used. The common table
-- expressions between the judgement and the columns of activities.sql.
-- The unit's dimension says what the quantity can be at all: time is machines and processors, months are disks, space
-- × time is memory and storage, space is traffic. What is in no catalogue has no quantities: unknown is not one vCPU.
-- Copies of stored data are Cloud Carbon Footprint's assumptions, four nodes behind a Business Critical database
-- Microsoft's documentation of its availability.
told AS (
    SELECT *,
        lower(trim(meter_category)) AS family, lower(meter_sub_category) AS series, lower(meter_name) AS meter,
        -- Older exports of pay-as-you-go have no unit; these meters have one only.
        CASE WHEN unit_of_measure IS NOT NULL THEN dimension
             WHEN family = 'virtual machines' THEN 'time'
             WHEN contains(series, 'managed disks') THEN 'month'
             WHEN contains(meter, 'data stored') THEN 'space_month'
             WHEN contains(meter, 'data transfer') THEN 'space' END AS used,
        CASE WHEN unit_of_measure IS NOT NULL THEN scaled ELSE usage_quantity END
            -- A month has the hours of the row's own month.
            * CASE WHEN used IN ('month', 'space_month') THEN 24 * day(last_day(usage_day)) ELSE 1 END AS amount
    FROM charged
), kinds AS (
    SELECT *,
        CASE
            -- A licence or an image from the Marketplace is paid by the hour too, beside its machine. Capacity that is
            -- reserved on demand has rows of its own (ComputeCR) as long as no machine runs in it.
            WHEN used IS NULL OR is_use IS NOT TRUE OR lower(publisher_type) = 'marketplace' THEN NULL
            WHEN contains(family, 'license') OR contains(series, 'license') OR contains(meter, 'license') THEN NULL
            WHEN usage_kind = 'ComputeCR' THEN NULL
            WHEN used IN ('time', 'month') AND contains(series, 'managed disks') THEN CASE
                WHEN NOT contains(meter, 'mount') AND NOT contains(meter, 'burst') THEN 'disk' END
            WHEN used = 'time' THEN CASE
                WHEN vcpus > 0 OR family IN ('virtual machines', 'cloud services') THEN 'machine'
                WHEN family = 'azure app service' THEN 'plan'
                WHEN family IN ('redis cache', 'azure cache for redis') THEN 'cache'
                WHEN contains(meter, 'vcore') OR contains(meter, 'vcpu') THEN 'vcpu'
            END
            WHEN used = 'space' THEN CASE
                WHEN contains(meter, 'transfer out') OR contains(meter, 'egress') THEN 'outbound'
                WHEN contains(meter, 'transfer in') OR contains(meter, 'ingress') THEN 'inbound'
                WHEN contains(meter, 'data transfer') THEN 'outbound'
            END
            WHEN used IN ('space_time', 'space_month') THEN CASE
                WHEN contains(meter, 'early delete') THEN NULL  -- of what is stored no more
                WHEN family = 'storage' THEN 'storage'
                WHEN contains(meter, 'memory') OR contains(meter, 'execution time') THEN 'memory'
                WHEN regexp_matches(meter, 'stored|storage|retention|data at rest|snapshot|backup|capacity|provisioned')
                    THEN 'storage'
            END
        END AS kind
    FROM told
), counted AS (
    SELECT *,
        -- `D2 v3/D2s v3`, `DS4 v2 Spot`: the price list's names of sizes, where the details do not tell it.
        CASE kind
            WHEN 'machine' THEN CASE WHEN is_size THEN lower(service_type) ELSE 'standard_' || replace(
                regexp_replace(split_part(meter, '/', 1), ' (spot|low priority)$', ''), ' ', '_') END
            WHEN 'disk' THEN 'disk ' || split_part(meter, ' ', 1)
            WHEN 'cache' THEN 'cache ' || split_part(meter, ' ', 1)
            WHEN 'plan' THEN 'plan ' || replace(replace(meter, ' app', ''), ' ', '')
        END AS catalogue_key,
        -- Standby machines are paid in the same row as the machine they stand by.
        CASE WHEN kind = 'cache' AND NOT contains(series, 'basic') THEN 2
             WHEN kind = 'vcpu' AND contains(series, 'business critical')
                  AND family IN ('sql database', 'sql managed instance') THEN 4 ELSE 1 END AS machines
    FROM kinds
), catalogue AS (
    SELECT lower(instance_type) AS key, instance_type, CAST(vcpu AS DOUBLE) AS vcpu,
        CAST(memory_gib AS DOUBLE) AS memory_gib, CAST(gpus AS DOUBLE) AS gpus, gpu_model, processor,
        NULL::DOUBLE AS disk_gib, NULL AS disk_media
    FROM azure_instance_types
    UNION ALL
    SELECT kind || ' ' || tier, NULL, CAST(vcpu AS DOUBLE), CAST(memory_gib AS DOUBLE), NULL, NULL, NULL,
        CAST(storage_gib AS DOUBLE), storage_media
    FROM azure_tiers
), physical AS (
    SELECT counted.* EXCLUDE (catalogue_key, machines),
        CASE WHEN vcpus > 0 OR is_size THEN service_type ELSE instance_type END AS machine,
        machines * amount * CASE kind
            WHEN 'machine' THEN coalesce(nullif(vcpus, 0), vcpu)
            WHEN 'plan' THEN vcpu
            WHEN 'vcpu' THEN coalesce(TRY_CAST(regexp_extract(meter, '([0-9]+) v(?:core|cpu)', 1) AS DOUBLE), 1)
        END AS vcpu_hours,
        machines * amount * CASE kind WHEN 'memory' THEN 1 ELSE memory_gib END AS memory_gib_hours,
        amount * gpus AS gpu_hours,
        CASE kind WHEN 'storage' THEN amount WHEN 'disk' THEN amount * disk_gib END AS storage_gib_hours,
        CASE WHEN storage_gib_hours IS NULL THEN NULL
             WHEN kind = 'disk' THEN disk_media
             WHEN contains(meter, 'premium') OR contains(series, 'ultra') THEN 'ssd'
             WHEN contains(meter, 'snapshot') OR contains(series, 'backup') OR contains(meter, 'backup') THEN 'hdd'
             WHEN contains(series, 'premium') OR contains(series, 'ssd') THEN 'ssd'
             WHEN category = 'cloud_database' THEN 'ssd'
             ELSE 'hdd' END AS storage_media,
        CASE WHEN storage_gib_hours IS NULL THEN NULL
             WHEN contains(meter, 'grs') OR contains(meter, 'gzrs') THEN 6
             WHEN family = 'azure cosmos db' THEN 4 ELSE 3 END AS replication,
        CASE WHEN kind IN ('inbound', 'outbound') THEN amount END AS network_gib,
        CASE WHEN network_gib IS NULL THEN NULL
             WHEN kind = 'inbound' THEN 'inbound'
             WHEN contains(meter, 'intra-region') OR contains(meter, 'availability zone') OR series = 'private link'
                 THEN 'intra_region'
             WHEN regexp_matches(meter, 'inter-region|inter-virtual network|int(er|ra) continent|geo-replication')
                  OR series IN ('inter-region', 'global peering') THEN 'inter_region'
             ELSE 'internet' END AS network_route,
        CASE WHEN kind = 'machine' AND vcpu_hours IS NOT NULL THEN catalogue.processor END AS processor,
        CASE WHEN gpu_hours IS NOT NULL THEN catalogue.gpu_model END AS gpu_model
    FROM counted
    LEFT JOIN catalogue ON catalogue.key = catalogue_key
)
