-- The user's factors by year of usage: of that year; else of the latest earlier one; else of the earliest.
CREATE OR REPLACE TABLE factor_spend AS
SELECT factor_id, provider, currency, usage_year, "year", low_kgco2e_per_currency, kgco2e_per_currency, high_kgco2e_per_currency, source, licence
FROM emission_spend_own CROSS JOIN (SELECT unnest(generate_series(1990, 2100))::INTEGER AS usage_year)
QUALIFY row_number() OVER (
    PARTITION BY provider, currency, usage_year ORDER BY "year" > usage_year, if("year" > usage_year, "year", -"year")) = 1
ORDER BY ALL;
