-- Method ccf-2024.03: the arithmetic of Cloud Carbon Footprint's application @ b7a049c (2024-03-25) on rows of bills, with
-- its constants and its mistakes. Mistakes are marked `wrong`, with the number under which the README lists them.
-- Distinct usage is classified once; what a unit of its quantity stands for is then multiplied with the rows.
WITH usage AS (
    SELECT DISTINCT provider, coalesce(service, '') AS service, coalesce(usage_type, '') AS usage_type,
        coalesce(unit, '') AS unit, coalesce(instance_type, '') AS machine
    FROM :activities
    WHERE emissions_kgco2e IS NULL AND coalesce(charge_category, 'Usage') = 'Usage' AND quantity IS NOT NULL
), lists AS (
    SELECT provider,
        coalesce(list(entry) FILTER (list = 'unsupported'), []) AS unsupported,
        coalesce(list(entry) FILTER (list = 'unknown'), []) AS unknown,
        coalesce(list(entry) FILTER (list = 'unknown_service'), []) AS unknown_service,
        coalesce(list(entry) FILTER (list = 'ssd'), []) AS ssd,
        coalesce(list(entry) FILTER (list = 'ssd_service'), []) AS ssd_service,
        coalesce(list(entry) FILTER (list = 'hdd'), []) AS hdd,
        coalesce(list(entry) FILTER (list = 'byte_hours'), []) AS byte_hours,
        coalesce(list(entry) FILTER (list = 'networking'), []) AS networking,
        coalesce(list(entry) FILTER (list = 'compute'), []) AS compute,
        coalesce(list(entry) FILTER (list = 'memory'), []) AS memory,
        coalesce(list(entry) FILTER (list = 'storage'), []) AS storage,
        coalesce(list(entry) FILTER (list = 'gpu'), []) AS gpu,
        coalesce(list(entry) FILTER (list = 'ssd_disk'), []) AS ssd_disk,
        coalesce(list(entry) FILTER (list = 'hdd_disk'), []) AS hdd_disk,
        list(entry || ' Registry Unit') FILTER (list = 'registry') AS registry
    FROM factor_ccf_lists GROUP BY provider
), copied AS (
    SELECT u.provider, u.service, u.usage_type, min_by(r.copies, r.rank) AS copies
    FROM (SELECT DISTINCT provider, service, usage_type FROM usage) AS u
    JOIN factor_ccf_replication AS r ON r.provider = u.provider AND r.service = u.service
        AND contains(u.usage_type, r."contains") AND contains(u.usage_type, r.and_contains)
    GROUP BY ALL
),

-- AWS. Bills write xlarge as xl at the end of some types.
aws_read AS (
    SELECT u.*, l.* EXCLUDE (provider), regexp_replace(usage_type, 'xl$', 'xlarge') AS written,
        CASE WHEN contains(usage_type, 'Fargate-GB-Hours') THEN 'gb-hours'  -- wrong (B2): memory, taken for a drive
             WHEN service = 'AmazonRedshift' AND unit = 'seconds' THEN 'hours' ELSE unit END AS as_unit,
        if(service = 'AmazonRedshift' AND unit = 'seconds', 1.0 / 3600, 1.0) AS amount
    FROM usage AS u JOIN lists AS l ON l.provider = u.provider
    WHERE u.provider = 'aws'
), aws_named AS (
    SELECT *,
        CASE WHEN contains(written, 'db') THEN string_split(written, 'db.')[-1]
             WHEN contains(written, 'cache') THEN string_split(written, 'cache.')[-1]
             WHEN contains(written, 'Kafka') THEN string_split(written, 'Kafka.')[-1]
             ELSE string_split(written, ':')[-1] END AS machine_type,
        regexp_replace(string_split(written, ':')[-1], '^((db|cache|dax|dms|ml|mq|KernelGateway-ml|.+Kafka)\.)', '') AS bare,
        CASE WHEN contains(written, 'Kafka') THEN 'Kafka' || string_split(written, 'Kafka')[-1]
             WHEN service = 'AmazonRedshift' THEN 'Redshift.' || array_to_string(string_split(bare, '.')[1:2], '.')
             ELSE array_to_string(string_split(bare, '.')[1:2], '.') END AS counted_type
    FROM aws_read
    WHERE NOT ccf_holds(unsupported, usage_type) AND NOT ccf_holds(unknown, usage_type)
), aws_counted AS (
    SELECT n.*, m.* EXCLUDE (provider, instance_type, vcpus, baseline, min_watts, max_watts),
        m.min_watts AS machine_min_watts, m.max_watts AS machine_max_watts,
        amount * CASE WHEN service = 'AWSGlue' THEN 4 WHEN service = 'AmazonSimpleDB' THEN 1
            WHEN contains(written, 'Aurora:ServerlessUsage') THEN 0.25
            WHEN ccf_says(['Fargate-vCPU-Hours', 'CPUCredits'], written) THEN 1
            WHEN service = 'AmazonRedshift' THEN c.vcpus / 3600  -- wrong (B4)
            ELSE c.vcpus * coalesce(c.baseline, 1) END AS vcpus,
        CASE WHEN as_unit IN ('hours', 'vcpu-hours', 'dpu-hours', 'acu-hours') THEN 'machine'
             WHEN as_unit IN ('seconds', 'GB-seconds') THEN 'function'
             WHEN as_unit IN ('GB-month', 'gb-hours') THEN CASE
                 WHEN ccf_ends(ssd, written) OR (ccf_ends(ssd_service, service) AND NOT contains(written, 'Backup')) THEN 'ssd'
                 WHEN ccf_ends(hdd, written) THEN 'hdd' END
             WHEN as_unit = 'GB' AND ccf_ends(networking, written) AND service <> 'AmazonCloudFront' THEN 'network' END AS kind
    FROM aws_named AS n
    LEFT JOIN factor_ccf_machines AS c ON c.provider = n.provider AND c.instance_type = counted_type
    LEFT JOIN factor_ccf_machines AS m ON m.provider = n.provider AND m.instance_type = machine_type
), aws AS (
    SELECT c.provider, service, usage_type, unit, machine, kind,
        CASE kind WHEN 'machine' THEN vcpus
            WHEN 'function' THEN 1.0 / 3600 END AS vcpu_hours_each,  -- wrong (B3): of Lambda these are GB-seconds
        CASE WHEN kind = 'machine' THEN machine_min_watts WHEN service = 'AWSLambda' AND ends_with(written, '-ARM') THEN arm.min_watts END AS min_watts,
        CASE WHEN kind = 'machine' THEN machine_max_watts WHEN service = 'AWSLambda' AND ends_with(written, '-ARM') THEN arm.max_watts END AS max_watts,
        CASE WHEN kind = 'machine' THEN amount * gpus END AS gpu_hours_each, gpu_min_watts, gpu_max_watts,
        CASE WHEN kind = 'machine' THEN amount * memory_gb END AS memory_gb_hours_each,
        CASE WHEN kind IN ('ssd', 'hdd') THEN CASE
            WHEN ccf_ends(byte_hours, written) THEN 1 / pow(2, 40)  -- wrong (B1): bills count GB-months of these
            WHEN as_unit = 'gb-hours' THEN 0.001 ELSE 0.024 END END AS tb_hours_each,
        kind IN ('ssd', 'hdd') AND as_unit = 'GB-month' AND NOT ccf_ends(byte_hours, written) AS by_days_of_month,
        CASE WHEN kind = 'network' THEN 1 END AS network_gb_each,
        -- wrong (A2): hours are divided by vCPUs that are not in them
        CASE WHEN kind = 'machine' THEN amount / embodied_vcpus / 35040 * embodied_vcpus / largest_vcpus * embodied_tonnes END AS embodied_tonnes_each,
        CASE WHEN kind = 'machine' THEN factor_id END AS embodied_factor_id
    FROM aws_counted AS c JOIN factor_ccf_watts AS arm ON arm.provider = 'aws' AND arm.name = 'AWS Graviton2'
    WHERE kind IS NOT NULL AND (kind <> 'machine' OR vcpus IS NOT NULL)
),

-- Azure.
azure_read AS (
    SELECT u.*, l.* EXCLUDE (provider),
        CASE WHEN contains(usage_type, 'Spot') THEN replace(usage_type, ' Spot', '') ELSE string_split(usage_type, '/')[1] END AS meter
    FROM usage AS u JOIN lists AS l ON l.provider = u.provider
    WHERE u.provider = 'azure'
), azure_kinds AS (
    SELECT *,
        CASE WHEN unit = 'hours' THEN if(ccf_says(memory, meter), 'memory', 'machine')
             WHEN unit IN ('GB-seconds', 'gb-hours') THEN 'memory'
             WHEN unit IN ('GB-month', 'TB-month', '1/Month', '1/Day') THEN CASE
                 WHEN ccf_says(ssd_disk, meter) OR ccf_says(storage, meter) THEN 'ssd' WHEN ccf_says(hdd_disk, meter) THEN 'hdd' END
             WHEN unit IN ('GB', 'TB') AND ccf_says(networking, meter) AND NOT contains(meter, 'To Any') THEN 'network' END AS kind,
        -- wrong (A7): the size of a drive for 24 hours a row, whatever the quantity
        CASE WHEN unit = 'TB-month' THEN NULL
             WHEN ccf_says(ssd_disk, meter) OR ccf_says(hdd_disk, meter) THEN
                 if(kind = 'ssd', ['ssd_disk', regexp_extract(meter, '[PE]\d{1,2}')], ['hdd_disk', trim(regexp_replace(meter, 'Disks?', ''))])
             WHEN ccf_says(registry, meter) THEN ['registry', replace(meter, ' Registry Unit', '')] END AS sized
    FROM azure_read
    WHERE NOT ccf_says(unsupported, meter) AND NOT ccf_says(unknown_service, service) AND NOT ccf_says(unknown, meter)
), azure AS (
    SELECT k.provider, service, usage_type, unit, machine, kind,
        -- wrong (B6): an unknown size has one vCPU, and an unknown one with a GPU's name one GPU
        CASE WHEN kind = 'machine' THEN coalesce(m.vcpus, 1) END AS vcpu_hours_each, m.min_watts, m.max_watts,
        CASE WHEN kind = 'machine' AND ccf_says(gpu, meter) THEN coalesce(m.gpus, 1) END AS gpu_hours_each, m.gpu_min_watts, m.gpu_max_watts,
        CASE WHEN kind = 'memory' AND unit = 'GB-seconds' THEN 1.0 / 3600
             WHEN kind = 'memory' AND list_contains(memory, meter) THEN if(contains(meter, 'Cache'), cache.gb, 1)
             WHEN kind IN ('memory', 'machine') THEN coalesce(m.memory_gb, 0) END AS memory_gb_hours_each,
        -- wrong (A8): a month has 24 hours
        CASE WHEN kind IN ('ssd', 'hdd') AND sized IS NULL THEN if(unit = 'TB-month', 24, 0.024) END AS tb_hours_each,
        CASE WHEN kind IN ('ssd', 'hdd') AND sized IS NOT NULL THEN size.gb / 1000 * 24 END AS tb_hours_per_row,
        CASE WHEN kind = 'network' THEN if(unit = 'TB', 1000, 1) END AS network_gb_each,
        CASE WHEN kind = 'machine' THEN 1 / m.embodied_vcpus / 35040 * m.embodied_vcpus / m.largest_vcpus * m.embodied_tonnes END AS embodied_tonnes_each,  -- wrong (A2)
        CASE WHEN kind = 'machine' THEN m.factor_id END AS embodied_factor_id
    FROM azure_kinds AS k
    LEFT JOIN factor_ccf_machines AS m ON m.provider = k.provider AND m.instance_type = meter
    LEFT JOIN factor_ccf_lists AS size ON size.provider = k.provider AND size.list = sized[1] AND size.entry = sized[2]
    LEFT JOIN factor_ccf_lists AS cache ON cache.provider = k.provider AND cache.list = 'cache' AND cache.entry = string_split(meter, ' ')[1]
    WHERE kind IS NOT NULL AND (kind NOT IN ('ssd', 'hdd') OR sized IS NULL OR size.gb IS NOT NULL)
),

-- Google Cloud.
gcp_read AS (
    SELECT u.*, l.* EXCLUDE (provider), ccf_says(compute, usage_type) AS computes,
        ccf_holds(['Cloud Composer Compute CPUs', 'Cloud Composer vCPU', 'Cloud Composer SQL vCPU'], usage_type) AS composer,
        contains(usage_type, 'Kubernetes Clusters') AS kubernetes,
        if(composer OR kubernetes, 'e2-medium', machine) AS machine_type
    FROM usage AS u JOIN lists AS l ON l.provider = u.provider
    WHERE u.provider = 'gcp'
), gcp_kinds AS (
    SELECT *,
        CASE WHEN unit = 'seconds' AND computes THEN if(contains(usage_type, 'GPU'), 'gpu', 'machine')
             WHEN unit = 'byte-seconds' THEN CASE
                 WHEN ccf_says(memory, usage_type) AND NOT computes THEN 'memory' WHEN contains(usage_type, 'SSD') THEN 'ssd' ELSE 'hdd' END
             WHEN unit = 'bytes' AND ccf_says(networking, usage_type) THEN 'network' END AS kind,
        coalesce(nullif(regexp_extract(machine_type, 'e2-micro|e2-small|e2-medium|f1-micro|g1-small'), ''),
            lower(left(machine_type, 2))) AS family
    FROM gcp_read
    WHERE usage_type <> '' AND NOT ccf_says(unsupported, usage_type) AND NOT ccf_says(unknown, usage_type) AND NOT ccf_says(unknown_service, service)
), gcp AS (
    SELECT k.provider, service, usage_type, unit, machine, kind,
        CASE WHEN kind = 'machine' THEN CASE WHEN composer THEN 14 WHEN kubernetes THEN 3 ELSE 1 END / 3600 END AS vcpu_hours_each,
        w.min_watts, w.max_watts,
        CASE WHEN kind = 'gpu' THEN 1.0 / 3600 END AS gpu_hours_each, gpu.min_watts AS gpu_min_watts, gpu.max_watts AS gpu_max_watts,
        CASE WHEN kind = 'memory' THEN 1 / pow(2, 30) / 3600 END AS memory_gb_hours_each,
        CASE WHEN kind IN ('ssd', 'hdd') THEN 1 / pow(2, 40) / 3600 END AS tb_hours_each,
        CASE WHEN kind = 'network' THEN 1 / pow(2, 30) END AS network_gb_each,
        CASE WHEN kind IN ('machine', 'gpu')
            THEN 1 / m.embodied_vcpus / 3600 / 35040 * m.embodied_vcpus / m.largest_vcpus * m.embodied_tonnes END AS embodied_tonnes_each,
        CASE WHEN kind IN ('machine', 'gpu') THEN m.factor_id END AS embodied_factor_id
    FROM gcp_kinds AS k
    LEFT JOIN factor_ccf_watts AS w ON w.provider = k.provider AND w.name = k.family
    LEFT JOIN factor_ccf_machines AS m ON m.provider = k.provider AND m.instance_type = k.machine_type
    LEFT JOIN factor_ccf_watts AS gpu ON gpu.provider = k.provider AND kind = 'gpu'
        AND gpu.name = coalesce(nullif(regexp_extract(usage_type, '^Nvidia (T4|Tesla (K80|V100|A100|P4|P100))'), ''), 'GPU')
    WHERE kind IS NOT NULL
), classified AS (
    SELECT * FROM aws UNION ALL BY NAME SELECT * FROM azure UNION ALL BY NAME SELECT * FROM gcp
), placed AS (
    SELECT a.*, CAST(date_trunc('month', make_timestamp(epoch_us(a.period_start))) AS DATE) AS "month",
        c.* EXCLUDE (provider, service, usage_type, unit, machine, min_watts, max_watts, gpu_min_watts, gpu_max_watts),
        coalesce(c.min_watts, w.min_watts) AS min_watts, coalesce(c.max_watts, w.max_watts) AS max_watts,
        coalesce(c.gpu_min_watts, w.min_watts) AS gpu_min_watts, coalesce(c.gpu_max_watts, w.max_watts) AS gpu_max_watts,
        if(c.kind = 'network' OR (c.kind = 'memory' AND a.provider = 'gcp'), 1, coalesce(r.copies, 1)) AS copies,
        -- wrong (A3): a multi-region of Google's is the sum of its members; wrong (B10): unknown regions take the mean of all
        coalesce(g.factor_id, o.factor_id) AS factor_id, coalesce(g.region, o.region) AS factor_region,
        coalesce(g.year, if(g.region IS NULL, o.year, NULL)) AS factor_year, o.licence AS factor_licence,
        coalesce(g.tonnes_per_kwh, o.tonnes_per_kwh) * 1e6 AS gco2e_per_kwh, coalesce(g.pue, o.pue) AS pue,
        c.tb_hours_each * if(coalesce(c.by_days_of_month, false), day(last_day(make_timestamp(epoch_us(a.period_start)))), 1) * a.quantity AS tb_hours_of_quantity
    FROM :activities AS a
    JOIN classified AS c ON c.provider = a.provider AND c.service = coalesce(a.service, '') AND c.usage_type = coalesce(a.usage_type, '')
        AND c.unit = coalesce(a.unit, '') AND c.machine = coalesce(a.instance_type, '')
    JOIN factor_ccf_watts AS w ON w.provider = a.provider AND w.name = ''
    JOIN factor_ccf_grid AS o ON o.provider = a.provider AND o.reported = ''
    LEFT JOIN factor_ccf_grid AS g ON g.provider = a.provider AND g.reported = replace(lower(coalesce(a.region, '')), ' ', '')
    LEFT JOIN copied AS r ON r.provider = a.provider AND r.service = a.service AND r.usage_type = coalesce(a.usage_type, '')
    WHERE a.emissions_kgco2e IS NULL AND coalesce(a.charge_category, 'Usage') = 'Usage' AND a.quantity IS NOT NULL
), parts AS (
    SELECT *,
        quantity * vcpu_hours_each * (min_watts + 0.5 * (max_watts - min_watts)) * copies / 1000 AS compute_kwh,
        quantity * gpu_hours_each * (gpu_min_watts + 0.5 * (gpu_max_watts - gpu_min_watts)) * copies / 1000 AS gpu_kwh,
        quantity * memory_gb_hours_each * 0.000392 * copies AS memory_kwh,
        coalesce(tb_hours_of_quantity, :row_count * tb_hours_per_row) * if(kind = 'ssd', 1.2, 0.65) * copies / 1000 AS storage_kwh,
        quantity * network_gb_each * 0.001 AS network_kwh,
        quantity * embodied_tonnes_each * 1000 AS embodied_kgco2e
    FROM placed
), added AS (
    SELECT *, coalesce(compute_kwh, 0) + coalesce(gpu_kwh, 0) + coalesce(memory_kwh, 0) + coalesce(storage_kwh, 0) + coalesce(network_kwh, 0) AS it_energy_kwh
    FROM parts
)
SELECT *, it_energy_kwh * pue AS energy_kwh,
    it_energy_kwh * pue * gco2e_per_kwh / 1000 AS operational_kgco2e, operational_kgco2e AS operational_low_kgco2e, operational_kgco2e AS operational_high_kgco2e,
    embodied_kgco2e AS embodied_low_kgco2e, embodied_kgco2e AS embodied_high_kgco2e,
    -- wrong (A1): the "kilowattHours" of Cloud Carbon Footprint hold embodied carbon, divided by the grid factor
    energy_kwh + coalesce(embodied_kgco2e, 0) / (gco2e_per_kwh / 1000) AS ccf_kwh,
    operational_kgco2e + coalesce(embodied_kgco2e, 0) AS ccf_kgco2e,
    'as in CCF 2024-03' AS factor_basis, CAST(NULL AS VARCHAR) AS low_factor_id, CAST(NULL AS VARCHAR) AS high_factor_id,
    CAST(NULL AS VARCHAR) AS pue_factor_id, CAST(NULL AS DOUBLE) AS water_l,
    'default' AS operational_quality, 'default' AS embodied_quality
FROM added
