-- Which account has what in which month of a load: written with the load, so that `footprint` need not look twice.
CREATE TABLE load_months (
    load_id BIGINT NOT NULL,
    account_id VARCHAR,
    "month" DATE,
    row_count BIGINT NOT NULL,
    reported_rows BIGINT NOT NULL,
    physical_rows BIGINT NOT NULL,
    complete_location BOOLEAN NOT NULL,
    complete_market BOOLEAN NOT NULL
);

-- What the user chose with `ogf factors use`, and what the factor tables in this file were made from. One row.
CREATE TABLE emission_choice (
    method VARCHAR NOT NULL,
    factor_set VARCHAR NOT NULL,
    utilisation DOUBLE,
    chosen_at TIMESTAMPTZ,
    method_version VARCHAR,
    made_from VARCHAR
);
CREATE TABLE emission_factors_own (
    factor_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    "year" INTEGER NOT NULL,
    gco2e_per_kwh DOUBLE NOT NULL,
    basis VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    licence VARCHAR NOT NULL,
    pue DOUBLE
);
CREATE TABLE emission_regions_own (
    provider VARCHAR NOT NULL,
    reported VARCHAR NOT NULL,
    region VARCHAR NOT NULL
);
