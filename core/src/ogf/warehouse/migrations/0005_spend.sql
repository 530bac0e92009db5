-- The user's own factors by spend, for the method `spend`, and how many rows of a month have a cost to multiply.
CREATE TABLE emission_spend_own (
    factor_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    "year" INTEGER NOT NULL,
    low_kgco2e_per_currency DOUBLE NOT NULL,
    kgco2e_per_currency DOUBLE NOT NULL,
    high_kgco2e_per_currency DOUBLE NOT NULL,
    source VARCHAR NOT NULL,
    licence VARCHAR NOT NULL
);
-- Filled in by adding every load up again (migrate.py).
ALTER TABLE monthly_log ADD COLUMN priced_rows BIGINT;
DELETE FROM monthly_log;
