-- Activities with what their meters count. metered.py fills in the markers: the activities, the provider's two tables,
-- and how it names a meter and its service. Columns `meter_…` come in beside the activities and stay behind here.
-- The joins come last, and the lines that most rows find are there: a left join breaks its rows into those that match
-- and those that do not, and all that follows works on the pieces.
SELECT COLUMNS(name -> NOT starts_with(name, 'meter_') AND name <> 'instance_type'),
    coalesce(instance_type, CASE WHEN meter_machines IS NOT NULL THEN nullif(meter_machine, '') END) AS instance_type,
    meter_units * coalesce(
        meter_vcpu_hours, meter_machines * coalesce(meter_type_vcpu, TRY_CAST(meter_reported_vcpu AS DOUBLE)))
        AS vcpu_hours,
    meter_units * coalesce(meter_memory_gib_hours, meter_machines * coalesce(meter_type_memory_gib, TRY_CAST(
        replace(regexp_replace(meter_reported_memory, ' .*', ''), ',', '') AS DOUBLE))) -- 1,952 GiB
        AS memory_gib_hours,
    meter_units * meter_machines * coalesce(meter_type_gpus, TRY_CAST(meter_reported_gpus AS DOUBLE)) AS gpu_hours,
    CASE WHEN meter_machines IS NOT NULL THEN meter_type_gpu_model END AS gpu_model,
    CASE WHEN meter_machines IS NOT NULL OR meter_vcpu_hours IS NOT NULL
         THEN coalesce(meter_processor, meter_type_processor) END AS processor,
    -- The hours of that very month: 672, 696, 720 or 744.
    meter_units * CASE WHEN meter_storage_gib_months IS NULL THEN meter_storage_gib_hours
        ELSE meter_storage_gib_months * 24 * day(last_day(CAST(make_timestamp(epoch_us(period_start)) AS DATE))) END
        AS storage_gib_hours,
    meter_storage_media AS storage_media,
    meter_replication AS replication,
    meter_units * meter_network_gib AS network_gib,
    meter_network_route AS network_route
FROM (
    SELECT keyed.*, meters.*, quantity / meters.meter_per AS meter_units
    FROM (
        SELECT named.*, types.*,
            -- `BoxUsage:m5.large` is `BoxUsage:*` of an m5.large; `EBS:VolumeUsage.gp3` is itself.
            CASE WHEN meter_type IS NULL AND (instance_type IS NULL OR meter_colon = 0) THEN meter_name
                 WHEN meter_colon > 0 THEN left(meter_name, meter_colon) || '*'
                 ELSE regexp_replace(meter_name, '[.].*', '') || ':*' END AS meter_key,
            :service AS meter_service
        FROM (
            SELECT *,
                CASE WHEN meter_colon > 0 THEN substr(meter_name, meter_colon + 1)
                     WHEN contains(meter_name, '.') THEN meter_name
                     ELSE instance_type END AS meter_machine
            FROM (SELECT *, strpos(meter_name, ':') AS meter_colon FROM (SELECT *, :meter AS meter_name FROM (:rows)))
        ) AS named
        LEFT JOIN (
            SELECT lower(instance_type) AS meter_type_key, instance_type AS meter_type,
                TRY_CAST(vcpu AS DOUBLE) AS meter_type_vcpu, TRY_CAST(memory_gib AS DOUBLE) AS meter_type_memory_gib,
                TRY_CAST(gpus AS DOUBLE) AS meter_type_gpus, gpu_model AS meter_type_gpu_model,
                processor AS meter_type_processor
            FROM :instance_types
            -- What is no machine finds a line too.
            UNION ALL BY NAME SELECT '' AS meter_type_key
            UNION ALL BY NAME SELECT DISTINCT meter_tail AS meter_type_key FROM (:meters)
                WHERE meter_tail <> '' AND NOT ends_with(meter_of, '*')
                    AND meter_tail NOT IN (SELECT lower(instance_type) FROM :instance_types)
        ) AS types ON meter_type_key = coalesce(lower(ogf_machine_type(meter_machine)), '')
    ) AS keyed
    LEFT JOIN (
        :meters
        UNION ALL BY NAME SELECT '' AS meter_of_service, '' AS meter_of, '' AS meter_of_unit
    ) AS meters
        ON meter_of_service = CASE WHEN meter_name IS NULL THEN '' ELSE meter_service END
        AND meter_of = coalesce(meter_key, '')
        AND meter_of_unit = CASE WHEN meter_name IS NULL THEN '' ELSE coalesce(unit, '') END
)
