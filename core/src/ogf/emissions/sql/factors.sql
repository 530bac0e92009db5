-- The factor tables, from the shipped data and the user's own factors. What a colon marks is filled in by install.py.
-- Made anew when the shipped data or the user's choice changes; everything here is small.

CREATE OR REPLACE TABLE factor_grid AS
SELECT 'em:' || year || ':' || zone AS factor_id, 'electricity-maps' AS factor_set, NULL::VARCHAR AS provider,
    NULL::VARCHAR AS region, zone, year::INTEGER AS year, gco2e_per_kwh::DOUBLE AS gco2e_per_kwh,
    'lifecycle, consumption' AS basis, 'ODbL-1.0' AS licence, 'Electricity Maps' AS source
FROM :electricity_maps
UNION ALL
SELECT 'ember:' || year || ':' || provider || '/' || region, 'ember', provider, region, NULL, year::INTEGER,
    gco2e_per_kwh::DOUBLE, 'lifecycle, production mix', 'CC-BY-4.0', 'Ember'
FROM :ember
UNION ALL
SELECT 'google:' || year || ':' || region, 'google-operational', 'gcp', region, NULL, year::INTEGER,
    gco2e_per_kwh::DOUBLE, 'operational', 'Apache-2.0', 'Google Cloud region carbon data'
FROM :google
UNION ALL
SELECT factor_id, 'custom', provider, region, NULL, year, gco2e_per_kwh, basis, licence, source
FROM emission_factors_own;

CREATE OR REPLACE TABLE factor_places AS
SELECT provider, region, place, electricity_maps_zone, string_split(alternative_zones, ';') AS alternative_zones,
    confidence, note
FROM :regions;

CREATE OR REPLACE TABLE factor_pue AS
SELECT 'pue:' || year || ':' || provider || '/' || region AS factor_id, provider, region, year::INTEGER AS year,
    pue::DOUBLE AS pue, wue_l_per_it_kwh::DOUBLE AS wue_l_per_it_kwh, how, 'Apache-2.0' AS licence
FROM :pue;

CREATE OR REPLACE TABLE factor_coefficients AS
SELECT 'coefficient:' || name AS factor_id, name, low::DOUBLE AS low, middle::DOUBLE AS middle, high::DOUBLE AS high, unit, source
FROM :coefficients
UNION ALL  -- a GPU that is not in the list: the mean of those that are, and bounds that show how little is known
SELECT 'coefficient:gpu_unknown_' || name, 'gpu_unknown_' || name, low, middle, high, 'W', 'mean, lowest and highest of gpus.csv'
FROM (
    SELECT 'min' AS name, min(min_watts::DOUBLE) AS low, avg(min_watts::DOUBLE) AS middle, max(min_watts::DOUBLE) AS high
    FROM :gpus
    UNION ALL
    SELECT 'max', min(max_watts::DOUBLE), avg(max_watts::DOUBLE), max(max_watts::DOUBLE) FROM :gpus
);

-- What the user measured of his own machines stands for the assumed utilisation, and for its assumed bounds.
UPDATE factor_coefficients SET middle = o.utilisation, low = o.utilisation, high = o.utilisation
FROM (SELECT utilisation FROM emission_choice) AS o
WHERE name = 'utilisation_cpu' AND o.utilisation IS NOT NULL;

CREATE OR REPLACE TABLE factor_processors AS
WITH given AS (
    SELECT provider, coalesce(architecture, '') AS architecture, min_watts::DOUBLE AS min_watts, max_watts::DOUBLE AS max_watts
    FROM :processors
), single AS (
    FROM given
    UNION ALL  -- the user's own racks: the longest list of architectures
    SELECT o.provider, given.* EXCLUDE (provider)
    FROM given, (SELECT DISTINCT provider FROM emission_factors_own WHERE provider NOT IN (SELECT provider FROM given)) AS o
    WHERE given.provider = 'aws'
), named AS (
    SELECT provider, architecture AS processor, architecture FROM single
    UNION
    SELECT provider, s.processor, unnest(string_split(s.processor, '/'))
    FROM :processor_sets AS s CROSS JOIN (SELECT DISTINCT provider FROM single)
)
-- A type with several possible processors: the mean of them; the thriftiest and the hungriest for low and high.
SELECT 'cpu:' || provider || '/' || if(processor = '', 'unknown', processor) AS factor_id, provider, processor,
    avg(min_watts) AS min_watts, avg(max_watts) AS max_watts,
    min_by(min_watts, min_watts + u.low * (max_watts - min_watts)) AS low_min_watts,
    min_by(max_watts, min_watts + u.low * (max_watts - min_watts)) AS low_max_watts,
    max_by(min_watts, min_watts + u.high * (max_watts - min_watts)) AS high_min_watts,
    max_by(max_watts, min_watts + u.high * (max_watts - min_watts)) AS high_max_watts
FROM named JOIN single USING (provider, architecture)
CROSS JOIN (FROM factor_coefficients WHERE name = 'utilisation_cpu') AS u
GROUP BY provider, processor ORDER BY ALL;

CREATE OR REPLACE TABLE factor_gpus AS
SELECT 'gpu:' || gpu_model AS factor_id, gpu_model, min_watts::DOUBLE AS min_watts, max_watts::DOUBLE AS max_watts
FROM :gpus ORDER BY ALL;

CREATE OR REPLACE TABLE factor_machines AS
SELECT 'embodied:' || provider || '/' || instance_type AS factor_id, *
FROM (
    SELECT m.provider, coalesce(s.prefix, '') || m.instance_type || coalesce(s.suffix, '') AS instance_type,
        server_kgco2e::DOUBLE AS server_kgco2e, server_vcpus::DOUBLE AS server_vcpus, utilisation::DOUBLE AS utilisation, how
    FROM :machines AS m
    JOIN :service_spellings AS s ON s.provider = m.provider
    -- Some are listed under the service's own name: that row wins.
    QUALIFY row_number() OVER (
        PARTITION BY m.provider, coalesce(s.prefix, '') || m.instance_type || coalesce(s.suffix, '')
        ORDER BY s.prefix IS NOT NULL OR s.suffix IS NOT NULL) = 1)
ORDER BY ALL;

CREATE OR REPLACE TABLE emission_services AS
SELECT provider, coalesce(service, '') AS service, reported FROM :reported_services;

CREATE OR REPLACE TABLE emission_streams AS
SELECT provider, stream, rank::INTEGER AS rank FROM :streams;

CREATE OR REPLACE TABLE factor_regions AS
WITH single AS (
    -- Which zones and regions a place may take its factor from.
    SELECT p.provider, p.region, g.*, 'chosen' AS role
    FROM factor_places AS p JOIN factor_grid AS g
        ON g.factor_set = 'electricity-maps' AND g.zone = p.electricity_maps_zone
    UNION ALL
    SELECT p.provider, p.region, g.*, 'bound'
    FROM factor_places AS p JOIN factor_grid AS g
        ON g.factor_set = 'electricity-maps' AND list_contains(p.alternative_zones, g.zone)
    UNION ALL
    SELECT g.provider, g.region, g.*, 'chosen' FROM factor_grid AS g WHERE g.factor_set IN ('ember', 'google-operational', 'custom')
), of_set AS (
    -- The chosen set, and the user's own figures in place of those with the same region and year.
    SELECT * FROM single WHERE role = 'chosen' AND factor_set IN (:factor_set, 'custom')
    QUALIFY row_number() OVER (PARTITION BY provider, region, year ORDER BY factor_set <> 'custom') = 1
), years AS (
    SELECT unnest(generate_series(min(year) - 1, max(year) + 2))::INTEGER AS usage_year FROM factor_grid
), chosen AS (
    -- The usage year; else the latest earlier year; else the earliest.
    SELECT of_set.*, usage_year FROM of_set CROSS JOIN years
    QUALIFY row_number() OVER (
        PARTITION BY provider, region, usage_year
        ORDER BY year > usage_year, CASE WHEN year > usage_year THEN year ELSE -year END) = 1
), bounds AS (
    SELECT c.provider, c.region, c.usage_year, c.factor_id, c.gco2e_per_kwh FROM chosen AS c
    UNION ALL  -- other zones that may serve the place, by the same rule of years
    (SELECT b.provider, b.region, usage_year, b.factor_id, b.gco2e_per_kwh
     FROM single AS b CROSS JOIN years WHERE b.role = 'bound'
     QUALIFY row_number() OVER (
        PARTITION BY b.provider, b.region, b.zone, usage_year
        ORDER BY b.year > usage_year, CASE WHEN b.year > usage_year THEN b.year ELSE -b.year END) = 1)
    UNION ALL
    SELECT provider, region, usage_year, factor_id, gco2e_per_kwh FROM single JOIN years ON year = usage_year
    WHERE factor_set = 'google-operational'
    UNION ALL
    -- Ember's beside the chosen year, not the usage's: a year that has no data yet gets the bounds of the last that has.
    SELECT c.provider, c.region, c.usage_year, b.factor_id, b.gco2e_per_kwh
    FROM chosen AS c JOIN single AS b ON b.provider = c.provider AND b.region = c.region AND abs(b.year - c.year) <= 1
    WHERE b.factor_set = 'ember'
), resolved AS (
    -- Who declares a factor of his own has said what it is: no other source bounds it.
    SELECT c.provider, c.region, c.usage_year, c.factor_id, c.year AS factor_year, c.basis, c.licence, c.source,
        c.gco2e_per_kwh,
        min_by(b.factor_id, b.gco2e_per_kwh) AS low_factor_id, min(b.gco2e_per_kwh) AS low_gco2e_per_kwh,
        max_by(b.factor_id, b.gco2e_per_kwh) AS high_factor_id, max(b.gco2e_per_kwh) AS high_gco2e_per_kwh
    FROM chosen AS c JOIN bounds AS b USING (provider, region, usage_year)
    WHERE c.factor_set <> 'custom' OR b.factor_id = c.factor_id
    GROUP BY ALL
), joint AS (
    -- A place of several regions: the mean of the members, between the smallest and the largest of them.
    SELECT m.provider, m.region, r.usage_year,
        regexp_replace(min(r.factor_id), ':[^:]*$', '') || ':' || m.provider || '/' || m.region AS factor_id,
        min(r.factor_year) AS factor_year, any_value(r.basis) AS basis, any_value(r.licence) AS licence,
        any_value(r.source) AS source, avg(r.gco2e_per_kwh) AS gco2e_per_kwh,
        min_by(r.factor_id, r.gco2e_per_kwh) AS low_factor_id, min(r.gco2e_per_kwh) AS low_gco2e_per_kwh,
        max_by(r.factor_id, r.gco2e_per_kwh) AS high_factor_id, max(r.gco2e_per_kwh) AS high_gco2e_per_kwh
    FROM :region_members AS m
    JOIN resolved AS r ON r.provider = m.provider AND r.region = m.member
    WHERE NOT EXISTS (FROM of_set AS o WHERE o.provider = m.provider AND o.region = m.region)
    GROUP BY m.provider, m.region, r.usage_year
), places AS (
    SELECT * FROM resolved UNION ALL BY NAME SELECT * FROM joint
), pues AS (
    SELECT provider, region, year, factor_id, pue, wue_l_per_it_kwh FROM factor_pue
    UNION ALL
    SELECT m.provider, m.region, year, 'pue:' || year || ':' || m.provider || '/' || m.region, avg(pue), avg(wue_l_per_it_kwh)
    FROM :region_members AS m
    JOIN factor_pue AS p ON p.provider = m.provider AND p.region = m.member
    GROUP BY m.provider, m.region, year
), cooled AS (
    SELECT places.provider, places.region, usage_year, pues.factor_id AS pue_factor_id, pue, wue_l_per_it_kwh
    FROM places JOIN pues USING (provider, region)
    QUALIFY row_number() OVER (
        PARTITION BY places.provider, places.region, usage_year
        ORDER BY year > usage_year, CASE WHEN year > usage_year THEN year ELSE -year END) = 1
), spelled AS (
    SELECT provider, alias AS reported, region FROM :region_aliases
    UNION
    SELECT provider, replace(lower(region), ' ', ''), region FROM emission_factors_own
    UNION
    SELECT provider, reported, region FROM emission_regions_own
)
SELECT s.provider, s.reported, p.usage_year, p.region, p.factor_id, p.factor_year, p.basis AS factor_basis,
    p.licence AS factor_licence, p.source AS factor_source,
    p.gco2e_per_kwh, p.low_factor_id, p.low_gco2e_per_kwh, p.high_factor_id, p.high_gco2e_per_kwh,
    coalesce(own.factor_id, c.pue_factor_id) AS pue_factor_id, coalesce(own.pue, c.pue) AS pue, c.wue_l_per_it_kwh,
    w.min_watts AS default_min_watts, w.max_watts AS default_max_watts
FROM spelled AS s JOIN places AS p USING (provider, region)
LEFT JOIN cooled AS c USING (provider, region, usage_year)
LEFT JOIN emission_factors_own AS own ON own.factor_id = p.factor_id AND own.pue IS NOT NULL
LEFT JOIN factor_processors AS w ON w.provider = s.provider AND w.processor = ''
ORDER BY ALL;
