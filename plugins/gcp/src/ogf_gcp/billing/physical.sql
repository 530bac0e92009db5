-- Physical quantities of billing rows (joined): what a SKU's text and unit say that was used. The common table
-- expressions between the joins and the judgement of activities.sql.
-- The unit's dimension says what the amount can be at all: time is processors and GPUs, space × time is memory and
-- storage, space is traffic. `scaled` is in hours, GiB-hours (GiB-months) or GiB.
-- Texts of SKUs: cloud.google.com/skus. Multiples that Google does not publish are Cloud Carbon Footprint's
-- assumptions: 3 vCPUs behind a cluster's fee, 14 behind a Composer environment's, copies of stored data.
told AS (
    SELECT *,
        CASE WHEN line = 0 AND cost_type = 'regular' THEN dimension END AS used,
        lower(sku_name) AS sku
    FROM joined
), kinds AS (
    SELECT *,
        CASE
            -- Licences, commitments and what an unused reservation costs are paid beside the use, or without any.
            WHEN used IS NULL OR contains(sku, 'licens') OR contains(sku, 'commitment') THEN NULL
            WHEN list_contains(
                     system_labels, {'k': 'compute.googleapis.com/is_unused_reservation', 'v': 'true'}) THEN NULL
            WHEN used = 'time' THEN CASE
                WHEN contains(sku, 'premium') THEN NULL  -- a surcharge on cores that have a row of their own
                WHEN contains(sku, 'gpu') THEN 'gpu'
                WHEN starts_with(sku, 'micro instance') OR starts_with(sku, 'small instance') THEN 'machine'
                WHEN contains(sku, 'cpu') OR contains(sku, ' core') THEN 'vcpu'
                WHEN service_key = 'kubernetes engine' AND contains(sku, 'kubernetes clusters') THEN 'cluster'
                WHEN service_key = 'cloud composer' AND contains(sku, 'environment') THEN 'environment'
            END
            WHEN used = 'space' THEN CASE
                WHEN contains(sku, 'ingress') OR contains(sku, 'transfer in ') OR ends_with(sku, 'transfer in')
                    THEN 'inbound'
                WHEN contains(sku, 'egress') OR contains(sku, 'data transfer') OR contains(sku, 'download')
                    THEN 'outbound'
            END
            WHEN contains(sku, 'early delet') THEN NULL  -- of what is stored no more
            WHEN contains(sku, ' ram ') OR ends_with(sku, ' ram') OR contains(sku, 'memory')
                 OR contains(service_key, 'memorystore') THEN 'memory'
            ELSE 'storage'
        END AS kind
    FROM told
), counted AS (
    SELECT *,
        -- GiB-hours of the row's own month, in UTC.
        CASE WHEN used = 'space_month'
             THEN scaled * 24 * day(last_day(make_timestamp(epoch_us(usage_start_time)))) ELSE scaled END AS hours,
        -- A standby machine is paid in the same row as the machine it stands by.
        CASE WHEN service_key = 'cloud sql' AND contains(sku, 'regional') THEN 2
             WHEN contains(service_key, 'redis') AND contains(sku, 'standard') THEN 2 ELSE 1 END AS machines,
        -- `Spot Preemptible N2 Custom Instance Core running in …`: the first word that is no way of paying.
        CASE WHEN kind = 'machine' THEN split_part(sku, ' ', 1)
             WHEN kind = 'vcpu' AND machine IS NOT NULL THEN split_part(machine, '-', 1)
             WHEN kind = 'vcpu' AND service_key = 'compute engine'
             THEN split_part(replace(replace(sku, 'spot ', ''), 'preemptible ', ''), ' ', 1) END AS family_key
    FROM kinds
), physical AS (
    SELECT counted.*,
        machines * CASE kind
            WHEN 'vcpu' THEN hours * CASE
                WHEN contains(sku, 'mcpu') THEN 0.001
                WHEN service_key LIKE 'cloud%functions' AND contains(sku, 'cpu time') THEN 1 / 2.4  -- GHz-seconds
                WHEN contains(sku, ' vcpu') THEN coalesce(TRY_CAST(regexp_extract(sku, '([0-9]+) vcpu', 1) AS DOUBLE), 1)
                ELSE 1 END
            WHEN 'machine' THEN hours * families.vcpu
            WHEN 'cluster' THEN hours * 3
            WHEN 'environment' THEN hours * 14
        END AS vcpu_hours,
        machines * CASE kind
            WHEN 'memory' THEN hours
            WHEN 'machine' THEN hours * families.memory_gib
            WHEN 'vcpu' THEN CASE WHEN contains(sku, 'gb ram')
                THEN hours * TRY_CAST(regexp_extract(sku, '([0-9.]+) ?gb ram', 1) AS DOUBLE) END
        END AS memory_gib_hours,
        CASE kind WHEN 'gpu' THEN hours END AS gpu_hours,
        CASE kind WHEN 'storage' THEN hours END AS storage_gib_hours,
        CASE WHEN storage_gib_hours IS NULL THEN NULL
             WHEN contains(sku, 'hdd') OR contains(sku, 'hyperdisk throughput') OR contains(sku, 'low cost') THEN 'hdd'
             WHEN contains(sku, 'ssd') OR contains(sku, 'balanced') OR contains(sku, 'extreme')
                  OR contains(sku, 'hyperdisk') THEN 'ssd'
             WHEN service_key IN ('cloud sql', 'cloud spanner', 'alloydb') THEN CASE
                  WHEN contains(sku, 'backup') THEN 'hdd' ELSE 'ssd' END
             WHEN service_key = 'cloud filestore' AND NOT contains(sku, 'standard') THEN 'ssd'
             ELSE 'hdd' END AS storage_media,
        CASE WHEN storage_gib_hours IS NULL THEN NULL
             WHEN service_key IN ('cloud storage', 'cloud filestore', 'cloud composer') THEN 2
             WHEN service_key = 'kubernetes engine' THEN 3
             WHEN service_key IN ('compute engine', 'cloud sql', 'cloud spanner')
                  AND (contains(sku, 'regional') OR contains(sku, 'multi-region') OR contains(sku, 'snapshot')
                       OR contains(sku, 'image')) THEN 2
             ELSE 1 END AS replication,
        CASE WHEN kind IN ('inbound', 'outbound') THEN hours END AS network_gib,
        CASE WHEN network_gib IS NULL THEN NULL
             WHEN kind = 'inbound' THEN 'inbound'
             WHEN contains(sku, 'inter zone') OR contains(sku, 'intra zone') OR contains(sku, 'intra region')
                 THEN 'intra_region'
             WHEN contains(sku, 'inter region') OR contains(sku, 'multi-region') OR contains(sku, 'dual-region')
                  OR contains(sku, 'replication') OR contains(sku, 'google egress') OR contains(sku, 'google data')
                 THEN 'inter_region'
             ELSE 'internet' END AS network_route,
        CASE WHEN vcpu_hours IS NOT NULL THEN families.processor END AS processor,
        CASE WHEN gpu_hours IS NOT NULL THEN upper(nullif(
            regexp_extract(sku, '\b(t4|l4|v100|p100|p4|k80|a100|h100|h200|b200)\b', 1), '')) END AS gpu_model
    FROM counted
    LEFT JOIN (
        SELECT family, processor, CAST(vcpu AS DOUBLE) AS vcpu, CAST(memory_gib AS DOUBLE) AS memory_gib
        FROM gcp_machine_families
    ) AS families ON families.family = family_key
)
