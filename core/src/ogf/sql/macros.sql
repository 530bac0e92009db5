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
