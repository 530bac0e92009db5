-- Facts. No keys and no constraints: a key makes replacing a partition twelve times slower, and a lake has none.
CREATE TABLE activity_log (
    load_id BIGINT NOT NULL,
    activity_id UUID,
    billing_account_id VARCHAR,
    account_id VARCHAR,
    account_name VARCHAR,
    resource_id VARCHAR,
    service VARCHAR,
    category VARCHAR,
    usage_type VARCHAR,
    operation VARCHAR,
    instance_type VARCHAR,
    charge_category VARCHAR,
    region VARCHAR,
    location VARCHAR,
    period_start TIMESTAMPTZ,
    period_end TIMESTAMPTZ,
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
    tags MAP(VARCHAR, VARCHAR),
    source VARCHAR
);
CREATE TABLE quarantine_log (
    load_id BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    source VARCHAR,
    raw VARCHAR
);

-- The ledger: small, natural keys, written by delete-and-insert. Models: ogf/warehouse/ledger.py.
CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    org_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    "window" VARCHAR NOT NULL,
    pid BIGINT NOT NULL,
    loaded BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    message VARCHAR
);
CREATE TABLE partitions (
    org_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    partition_key VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    version VARCHAR,
    content_hash VARCHAR,
    load_id BIGINT,
    "month" VARCHAR,
    source VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    notices JSON NOT NULL,
    error_class VARCHAR,
    message VARCHAR,
    listed BOOLEAN NOT NULL,
    loaded_at TIMESTAMPTZ,
    checked_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE loads (
    load_id BIGINT NOT NULL,
    org_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    partition_key VARCHAR NOT NULL,
    version VARCHAR,
    digest VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    content_hash VARCHAR,
    started_at TIMESTAMPTZ NOT NULL,
    published_at TIMESTAMPTZ,
    superseded_at TIMESTAMPTZ,
    pruned_at TIMESTAMPTZ
);
CREATE TABLE segments (
    load_id BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    appended_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE connectors (
    org_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    last_run_at TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ,
    last_error VARCHAR
);
