-- Rows that a load left out on purpose: those that another of its files holds too, and zeros that are not wanted.
ALTER TABLE loads ADD COLUMN dropped BIGINT DEFAULT 0;
ALTER TABLE loads ALTER COLUMN dropped SET NOT NULL;
