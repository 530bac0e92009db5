-- Method ogf-2026.1: what each usage row needed in electricity, and what that and the making of the machines emitted.
-- Row by row: no state, no order, no clock. What a dollar sign marks is a row of factor_coefficients and its bound.
WITH placed AS (
    SELECT a.*, CAST(date_trunc('month', make_timestamp(epoch_us(a.period_start))) AS DATE) AS "month",
        g.* EXCLUDE (provider, reported, region, usage_year), g.region AS factor_region,
        g.factor_year <> year(make_timestamp(epoch_us(a.period_start))) AS of_another_year,
        p.processor IS NOT NULL AS processor_known,
        u.gpu_model IS NOT NULL AS gpu_known,
        coalesce(p.min_watts, g.default_min_watts) AS min_watts, coalesce(p.max_watts, g.default_max_watts) AS max_watts,
        coalesce(p.low_min_watts, g.default_min_watts) AS low_min_watts, coalesce(p.low_max_watts, g.default_max_watts) AS low_max_watts,
        coalesce(p.high_min_watts, g.default_min_watts) AS high_min_watts, coalesce(p.high_max_watts, g.default_max_watts) AS high_max_watts,
        coalesce(u.min_watts, $gpu_unknown_min_middle) AS gpu_min, coalesce(u.max_watts, $gpu_unknown_max_middle) AS gpu_max,
        coalesce(u.min_watts, $gpu_unknown_min_low) AS low_gpu_min, coalesce(u.max_watts, $gpu_unknown_max_low) AS low_gpu_max,
        coalesce(u.min_watts, $gpu_unknown_min_high) AS high_gpu_min, coalesce(u.max_watts, $gpu_unknown_max_high) AS high_gpu_max,
        -- Surplus credits of AWS's burstable types: what a vCPU takes beyond idling, on machines that are counted already.
        contains(coalesce(a.usage_type, ''), 'CPUCredits') AS is_surplus,
        m.utilisation, m.factor_id AS embodied_factor_id, m.how AS embodied_how,
        m.server_kgco2e / m.server_vcpus AS server_kgco2e_per_vcpu
    FROM :activities AS a
    JOIN factor_regions AS g ON g.provider = a.provider AND g.reported = replace(lower(coalesce(a.region, '')), ' ', '')
        AND g.usage_year = least(greatest(year(make_timestamp(epoch_us(a.period_start))), $first_year), $last_year)
    LEFT JOIN factor_processors AS p ON p.provider = a.provider AND p.processor = a.processor
    LEFT JOIN factor_gpus AS u ON u.gpu_model = a.gpu_model
    LEFT JOIN factor_machines AS m ON m.provider = a.provider AND m.instance_type = lower(a.instance_type)
    WHERE a.emissions_kgco2e IS NULL AND coalesce(a.charge_category, 'Usage') = 'Usage'
        AND coalesce(a.vcpu_hours, a.memory_gib_hours, a.gpu_hours, a.storage_gib_hours, a.network_gib) IS NOT NULL
), parts AS (
    SELECT *,
        vcpu_hours * if(is_surplus, max_watts - min_watts,
            min_watts + coalesce(utilisation, $utilisation_cpu_middle) * (max_watts - min_watts)) / 1000 AS compute_kwh,
        vcpu_hours * if(is_surplus, low_max_watts - low_min_watts,
            low_min_watts + least(utilisation, $utilisation_cpu_low) * (low_max_watts - low_min_watts)) / 1000 AS low_compute_kwh,
        vcpu_hours * if(is_surplus, high_max_watts - high_min_watts,
            high_min_watts + coalesce(utilisation, $utilisation_cpu_high) * (high_max_watts - high_min_watts)) / 1000 AS high_compute_kwh,
        gpu_hours * (gpu_min + $utilisation_gpu_middle * (gpu_max - gpu_min)) / 1000 AS gpu_kwh,
        gpu_hours * (low_gpu_min + $utilisation_gpu_low * (low_gpu_max - low_gpu_min)) / 1000 AS low_gpu_kwh,
        gpu_hours * (high_gpu_min + $utilisation_gpu_high * (high_gpu_max - high_gpu_min)) / 1000 AS high_gpu_kwh,
        memory_gib_hours * $memory_middle AS memory_kwh,
        memory_gib_hours * $memory_low AS low_memory_kwh,
        memory_gib_hours * $memory_high AS high_memory_kwh,
        -- GiB to TB of 10^12 bytes, as drives are sold
        storage_gib_hours * 1.073741824e-3 / 1000 * coalesce(replication, 1)
            * CASE storage_media WHEN 'hdd' THEN $storage_hdd_middle ELSE $storage_ssd_middle END AS storage_kwh,
        storage_gib_hours * 1.073741824e-3 / 1000
            * CASE storage_media WHEN 'ssd' THEN $storage_ssd_low ELSE $storage_hdd_low END AS low_storage_kwh,
        storage_gib_hours * 1.073741824e-3 / 1000 * coalesce(replication, 1)
            * CASE storage_media WHEN 'hdd' THEN $storage_hdd_high ELSE $storage_ssd_high END AS high_storage_kwh,
        -- GiB to GB of 10^9 bytes; outbound bytes are counted once, so inbound ones need nothing
        network_gib * 1.073741824 * CASE network_route WHEN 'inbound' THEN 0 WHEN 'internet' THEN $network_internet_middle
            WHEN 'inter_region' THEN $network_between_regions_middle ELSE $network_in_region_middle END AS network_kwh,
        network_gib * 1.073741824 * CASE network_route WHEN 'inbound' THEN 0 WHEN 'internet' THEN $network_internet_low
            WHEN 'inter_region' THEN $network_between_regions_low ELSE $network_in_region_low END AS low_network_kwh,
        network_gib * 1.073741824 * CASE network_route WHEN 'inbound' THEN 0 WHEN 'intra_region' THEN $network_in_region_high
            WHEN 'inter_region' THEN $network_between_regions_high ELSE $network_internet_high END AS high_network_kwh,
        if(is_surplus, NULL, vcpu_hours) * server_kgco2e_per_vcpu / $server_life_middle AS embodied_kgco2e,
        if(is_surplus, NULL, vcpu_hours) * server_kgco2e_per_vcpu / $server_life_low AS embodied_low_kgco2e,
        if(is_surplus, NULL, vcpu_hours) * server_kgco2e_per_vcpu / $server_life_high AS embodied_high_kgco2e
    FROM placed
), added AS (
    SELECT *,
        coalesce(compute_kwh, 0) + coalesce(gpu_kwh, 0) + coalesce(memory_kwh, 0) + coalesce(storage_kwh, 0) + coalesce(network_kwh, 0) AS it_energy_kwh,
        coalesce(low_compute_kwh, 0) + coalesce(low_gpu_kwh, 0) + coalesce(low_memory_kwh, 0) + coalesce(low_storage_kwh, 0) + coalesce(low_network_kwh, 0) AS low_it_energy_kwh,
        coalesce(high_compute_kwh, 0) + coalesce(high_gpu_kwh, 0) + coalesce(high_memory_kwh, 0) + coalesce(high_storage_kwh, 0) + coalesce(high_network_kwh, 0) AS high_it_energy_kwh
    FROM parts
)
SELECT *,
    it_energy_kwh * coalesce(pue, 1) AS energy_kwh,
    it_energy_kwh * coalesce(pue, 1) * gco2e_per_kwh / 1000 AS operational_kgco2e,
    low_it_energy_kwh * coalesce(pue, 1) * low_gco2e_per_kwh / 1000 AS operational_low_kgco2e,
    high_it_energy_kwh * coalesce(pue, 1) * high_gco2e_per_kwh / 1000 AS operational_high_kgco2e,
    it_energy_kwh * wue_l_per_it_kwh AS water_l,
    CASE WHEN of_another_year OR pue IS NULL
            OR (vcpu_hours IS NOT NULL AND NOT processor_known)
            OR (gpu_hours IS NOT NULL AND NOT gpu_known)
            OR (storage_gib_hours IS NOT NULL AND (replication IS NULL OR storage_media IS NULL OR storage_media NOT IN ('ssd', 'hdd')))
            OR (network_gib IS NOT NULL AND (network_route IS NULL OR network_route NOT IN ('intra_region', 'inter_region', 'internet', 'inbound')))
        THEN 'default' ELSE 'estimated' END AS operational_quality,
    CASE WHEN embodied_how = 'listed' THEN 'estimated' ELSE 'default' END AS embodied_quality
FROM added
