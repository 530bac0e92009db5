-- What the application of Cloud Carbon Footprint computes with, as tables, and its three ways to look into a text.
CREATE OR REPLACE TABLE factor_ccf_grid AS
WITH listed AS (
    SELECT provider, coalesce(region, '') AS region, tonnes_per_kwh::DOUBLE AS tonnes_per_kwh, pue::DOUBLE AS pue, year::INTEGER AS year
    FROM :ccf_grid
), spelled AS (
    SELECT provider, region AS reported, region FROM listed
    UNION  -- other spellings of a region that is listed
    SELECT a.provider, a.alias, l.region FROM :region_aliases AS a
    JOIN listed AS l ON l.provider = a.provider AND l.region = a.region
    WHERE NOT EXISTS (FROM listed AS o WHERE o.provider = a.provider AND o.region = a.alias)
)
SELECT 'ccf:' || s.provider || '/' || if(s.region = '', 'unknown', s.region) AS factor_id, s.provider, s.reported, s.region,
    l.tonnes_per_kwh, l.pue, l.year, 'Apache-2.0' AS licence
FROM spelled AS s JOIN listed AS l USING (provider, region) ORDER BY ALL;

CREATE OR REPLACE TABLE factor_ccf_lists AS
SELECT provider, list, entry, gb::DOUBLE AS gb FROM :ccf_lists ORDER BY ALL;

CREATE OR REPLACE TABLE factor_ccf_replication AS
SELECT provider, service, rank::INTEGER AS rank, coalesce("contains", '') AS "contains", coalesce(and_contains, '') AS and_contains,
    copies::DOUBLE AS copies
FROM :ccf_replication ORDER BY ALL;

CREATE OR REPLACE TABLE factor_ccf_watts AS
SELECT provider, coalesce(name, '') AS name, min_watts::DOUBLE AS min_watts, max_watts::DOUBLE AS max_watts
FROM :ccf_watts ORDER BY ALL;

CREATE OR REPLACE TABLE factor_ccf_machines AS
SELECT 'ccf-embodied:' || provider || '/' || instance_type AS factor_id, provider, instance_type, vcpus::DOUBLE AS vcpus,
    memory_gb::DOUBLE AS memory_gb, baseline::DOUBLE AS baseline, min_watts::DOUBLE AS min_watts, max_watts::DOUBLE AS max_watts,
    gpus::DOUBLE AS gpus, gpu_min_watts::DOUBLE AS gpu_min_watts, gpu_max_watts::DOUBLE AS gpu_max_watts,
    embodied_vcpus::DOUBLE AS embodied_vcpus, embodied_tonnes::DOUBLE AS embodied_tonnes, largest_vcpus::DOUBLE AS largest_vcpus
FROM :ccf_machines ORDER BY ALL;

CREATE OR REPLACE MACRO ccf_holds(entries, text) AS len(list_filter(entries, lambda e: contains(text, e))) > 0;
CREATE OR REPLACE MACRO ccf_ends(entries, text) AS len(list_filter(entries, lambda e: ends_with(text, e))) > 0;
CREATE OR REPLACE MACRO ccf_says(entries, text) AS len(list_filter(entries, lambda e: regexp_matches(text, '\b' || e || '\b'))) > 0;
