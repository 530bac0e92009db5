-- What the service remembers: syncs that were asked for, and who may ask. Models: ogf/warehouse/ledger.py.
CREATE TABLE jobs (
    job_id VARCHAR NOT NULL,
    org_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    "trigger" VARCHAR NOT NULL,
    requested_by VARCHAR NOT NULL,
    idempotency_key VARCHAR,
    streams JSON NOT NULL,
    since VARCHAR,
    "until" VARCHAR,
    "full" BOOLEAN NOT NULL,
    requested_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    attempts BIGINT NOT NULL,
    run_id VARCHAR,
    partitions_total BIGINT NOT NULL,
    partitions_done BIGINT NOT NULL,
    partitions_failed BIGINT NOT NULL,
    pages BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    message VARCHAR,
    hint VARCHAR,
    notices JSON NOT NULL
);
CREATE TABLE api_keys (
    key_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    org_id VARCHAR NOT NULL,
    scopes JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
