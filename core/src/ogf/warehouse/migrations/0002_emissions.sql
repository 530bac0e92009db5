-- Activities added up by month: written with each load, so that footprints need not read every row again.
CREATE TABLE monthly_log (
    load_id BIGINT NOT NULL,
    "month" DATE,
    billing_account_id VARCHAR,
    account_id VARCHAR,
    account_name VARCHAR,
    service VARCHAR,
    category VARCHAR,
    usage_type VARCHAR,
    operation VARCHAR,
    instance_type VARCHAR,
    charge_category VARCHAR,
    region VARCHAR,
    location VARCHAR,
    quantity DOUBLE,
    unit VARCHAR,
    cost DECIMAL(38,18),
    currency VARCHAR,
    vcpu_hours DOUBLE,
    memory_gib_hours DOUBLE,
    gpu_hours DOUBLE,
    storage_gib_hours DOUBLE,
    storage_media VARCHAR,
    replication DOUBLE,
    network_gib DOUBLE,
    network_route VARCHAR,
    processor VARCHAR,
    gpu_model VARCHAR,
    emissions_kgco2e DOUBLE,
    provider_scope TINYINT,
    accounting VARCHAR,
    model_version VARCHAR,
    data_quality VARCHAR,
    row_count BIGINT NOT NULL,
    physical_rows BIGINT NOT NULL,
    vcpu_rows BIGINT NOT NULL,
    negative_rows BIGINT NOT NULL,
    physical_cost DECIMAL(38,18)
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
