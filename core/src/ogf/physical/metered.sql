-- Rows with what their meters count. metered.py fills in three markers: the rows, and the provider's two tables.
-- Both joins are on equal keys of small tables: the meter decides, once its name is known to be one of a machine type.
SELECT counted.*,
    CASE WHEN meter_machines IS NULL THEN units * meter_vcpu_hours
         ELSE units * meter_machines * coalesce(vcpu_reported, type_vcpu) END AS vcpu_hours,
    CASE WHEN meter_machines IS NULL THEN units * meter_memory_gib_hours
         ELSE units * meter_machines * coalesce(memory_reported, type_memory_gib) END AS memory_gib_hours,
    CASE WHEN meter_machines IS NOT NULL THEN units * meter_machines * coalesce(gpus_reported, type_gpus) END
        AS gpu_hours,
    CASE WHEN meter_machines IS NOT NULL THEN type_gpu_model END AS gpu_model,
    CASE WHEN meter_machines IS NOT NULL OR meter_vcpu_hours IS NOT NULL
         THEN coalesce(meter_processor, type_processor) END AS processor,
    CASE WHEN meter_machines IS NOT NULL THEN meter_machine END AS machine_metered,
    CASE WHEN meter_storage_gib_months IS NOT NULL
         -- The hours of that very month: 672, 696, 720 or 744.
         THEN units * meter_storage_gib_months * 24 * day(last_day(CAST(make_timestamp(epoch_us(metered_from)) AS DATE)))
         ELSE units * meter_storage_gib_hours END AS storage_gib_hours,
    meter_storage_media AS storage_media,
    meter_replication AS replication,
    units * meter_network_gib AS network_gib,
    meter_network_route AS network_route
FROM (
    SELECT keyed.*, meters.*, metered_amount / meters.meter_per AS units
    FROM (
        SELECT named.*,
            TRY_CAST(types.vcpu AS DOUBLE) AS type_vcpu, TRY_CAST(types.memory_gib AS DOUBLE) AS type_memory_gib,
            TRY_CAST(types.gpus AS DOUBLE) AS type_gpus, types.gpu_model AS type_gpu_model,
            types.processor AS type_processor,
            -- `BoxUsage:m5.large` is `BoxUsage:*` of an m5.large; `EBS:VolumeUsage.gp3` is itself.
            CASE WHEN types.instance_type IS NOT NULL OR machine_reported IS NOT NULL AND contains(meter_text, ':')
                 THEN CASE WHEN contains(meter_text, ':') THEN split_part(meter_text, ':', 1)
                           ELSE split_part(meter_text, '.', 1) END || ':*'
                 ELSE meter_text END AS meter_key
        FROM (
            SELECT entries.*,
                CASE WHEN contains(meter_text, ':') THEN split_part(meter_text, ':', -1)
                     WHEN contains(meter_text, '.') THEN meter_text
                     ELSE machine_reported END AS meter_machine
            FROM (:rows) AS entries
        ) AS named
        LEFT JOIN (
            SELECT lower(instance_type) AS key, * FROM :instance_types
        ) AS types ON types.key = ogf_machine_type(lower(meter_machine))
    ) AS keyed
    LEFT JOIN (
        :meters
    ) AS meters
        ON of_service = meter_service AND of_meter = meter_key AND of_unit = coalesce(metered_unit, '')
) AS counted
