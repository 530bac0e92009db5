-- What every plugin's mapping may use. Loaded into each worker's own in-memory connection.

-- A text column where the source writes '' for a missing value.
CREATE MACRO ogf_text(x) AS nullif(x, '');

-- DuckDB's cast of a number below half a unit of the 18th decimal, with an exponent, rounds by its first digit alone:
-- 8.8e-21 would become 1e-18. Such numbers are nought.
CREATE MACRO ogf_decimal_cast(x) AS
    CASE WHEN abs(TRY_CAST(x AS DOUBLE)) < 5e-19 THEN CAST(0 AS DECIMAL(38,18)) ELSE TRY_CAST(x AS DECIMAL(38,18)) END;

-- Exact DECIMAL(38,18) of a number written as text, NULL where it is none. A direct cast costs 40 times as much as
-- one through DECIMAL(18,12), which is exact for anything with at most 12 decimals and no exponent.
CREATE MACRO ogf_decimal_of_text(x) AS coalesce(
    CASE WHEN length(x) - strpos(x, '.') <= 12 AND NOT contains(x, 'e') AND NOT contains(x, 'E')
         THEN CAST(TRY_CAST(x AS DECIMAL(18,12)) AS DECIMAL(38,18)) END,
    ogf_decimal_cast(x));

-- Exact DECIMAL(38,18) of a double: of the shortest decimal that reads back as the same double. At most 15 digits
-- that read back are that decimal (IEEE 754 doubles tell any two of them apart); the rest goes through text.
CREATE MACRO ogf_decimal_of_double(x) AS coalesce(
    CASE WHEN abs(x) < 1000 AND CAST(TRY_CAST(x AS DECIMAL(18,12)) AS DOUBLE) = x
         THEN CAST(TRY_CAST(x AS DECIMAL(18,12)) AS DECIMAL(38,18)) END,
    ogf_decimal_cast(CAST(x AS VARCHAR)));

-- TIMESTAMPTZ of a naive UTC timestamp, without the calendar that a cast would ask.
CREATE MACRO ogf_utc(x) AS make_timestamptz(epoch_us(x));

-- JSON of a text; a list or dict as Python prints it (single quotes, None) is read too: some exports write those.
CREATE MACRO ogf_json(x) AS coalesce(
    TRY_CAST(x AS JSON),
    TRY_CAST(regexp_replace(regexp_replace(regexp_replace(replace(CAST(x AS VARCHAR), '''', '"'),
        '([:,\[] ?)None\b', '\1null', 'g'), '([:,\[] ?)True\b', '\1true', 'g'), '([:,\[] ?)False\b', '\1false', 'g')
        AS JSON));

-- A MAP of (k, v) structs, keys sorted, NULL without any. Of a key that comes twice, the first value in order counts:
-- rare enough that the way which needs no comparing is tried first.
CREATE MACRO ogf_map_of_sorted(entries) AS coalesce(
    TRY(map_from_entries(entries)),
    map_from_entries(list_filter(entries, lambda e, i: i = 1 OR entries[i - 1].k <> e.k)));
CREATE MACRO ogf_map_of_pairs(pairs) AS CASE WHEN len(pairs) > 0 THEN nullif(ogf_map_of_sorted(
    list_sort(list_filter(pairs, lambda p: p.k IS NOT NULL AND p.v IS NOT NULL))), MAP {}) END;

-- (k, v) structs from JSON: an object, or a list of objects with key and value. NULL where it is neither.
CREATE MACRO ogf_pairs_of_json(x) AS
    CASE json_type(ogf_json(x))
        WHEN 'OBJECT' THEN list_transform(
            map_entries(TRY_CAST(ogf_json(x) AS MAP(VARCHAR, VARCHAR))), lambda e: {'k': e.key, 'v': e.value})
        WHEN 'ARRAY' THEN list_transform(
            TRY_CAST(ogf_json(x) AS JSON[]),
            lambda e: {'k': coalesce(e ->> '$.key', e ->> '$.Key'), 'v': coalesce(e ->> '$.value', e ->> '$.Value')})
    END;

-- A MAP of texts from JSON, for looking up a few keys: not sorted.
CREATE MACRO ogf_map_of_json(x) AS
    CASE json_type(ogf_json(x))
        WHEN 'OBJECT' THEN TRY_CAST(ogf_json(x) AS MAP(VARCHAR, VARCHAR))
        WHEN 'ARRAY' THEN ogf_map_of_pairs(ogf_pairs_of_json(x))
    END;

-- The value of a key among (k, v) structs.
CREATE MACRO ogf_value_of(pairs, name) AS list_filter(pairs, lambda p: p.k = name)[1].v;

CREATE MACRO ogf_is_no_map(x) AS x IS NOT NULL AND coalesce(json_type(ogf_json(x)), '') NOT IN ('OBJECT', 'ARRAY', 'NULL');

CREATE MACRO ogf_is_no_list(x) AS x IS NOT NULL AND coalesce(json_type(ogf_json(x)), '') NOT IN ('ARRAY', 'NULL');

-- TIMESTAMPTZ of a text. Some exports leave the seconds out, 2024-05-01T00:00Z, which DuckDB does not read.
CREATE MACRO ogf_timestamp(x) AS coalesce(
    TRY_CAST(x AS TIMESTAMPTZ),
    TRY_CAST(regexp_replace(x, '([T ]\d\d:\d\d)(Z|[+-]\d\d:\d\d)$', '\1:00\2') AS TIMESTAMPTZ));

-- First day of a month written 2024-01-01, 2024-01 or 202401; NULL for anything else.
CREATE MACRO ogf_month(x) AS CAST(date_trunc('month', TRY_CAST(
    CASE length(x) WHEN 6 THEN x[1:4] || '-' || x[5:6] || '-01' WHEN 7 THEN x || '-01' ELSE x END AS TIMESTAMP)) AS DATE);

-- The bare type of a machine that a service spells its own way: db.m5.large, m5.large.search, db.r5.2xl.
-- What is no such spelling stays as it is. (split_part would make a list of each.)
CREATE MACRO ogf_spelled_out(x) AS CASE WHEN ends_with(x, 'xl') AND NOT contains(x, 'metal') THEN x || 'arge' ELSE x END;
CREATE MACRO ogf_machine_type(x) AS CASE
    WHEN NOT contains(substr(x, strpos(x, '.') + 1), '.') THEN ogf_spelled_out(x)
    WHEN ends_with(x, '.search') THEN left(x, -7)
    WHEN ends_with(x, '.elasticsearch') THEN left(x, -14)
    ELSE ogf_spelled_out(substr(x, strpos(x, '.') + 1)) END;
