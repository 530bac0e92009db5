-- What the user meets. Made anew by every upgrade.

CREATE OR REPLACE VIEW activities AS
SELECT a.activity_id, l.org_id, l.provider, l.stream, l.partition_key, a.* EXCLUDE (activity_id)
FROM activity_log AS a JOIN loads AS l ON l.load_id = a.load_id
WHERE l.status = 'current';

-- The rows that were current at a moment in time. Streams without history answer for their newest load only.
CREATE OR REPLACE MACRO activities_as_of(moment) AS TABLE
SELECT a.activity_id, l.org_id, l.provider, l.stream, l.partition_key, a.* EXCLUDE (activity_id)
FROM activity_log AS a JOIN loads AS l ON l.load_id = a.load_id
WHERE l.published_at <= CAST(moment AS TIMESTAMPTZ)
  AND (l.superseded_at IS NULL OR l.superseded_at > CAST(moment AS TIMESTAMPTZ));

-- Every row that is kept, of current and of superseded loads: the same month may be there several times.
CREATE OR REPLACE VIEW activities_history AS
SELECT a.activity_id, l.org_id, l.provider, l.stream, l.partition_key, a.* EXCLUDE (activity_id),
    l.status AS load_status, l.published_at, l.superseded_at
FROM activity_log AS a JOIN loads AS l ON l.load_id = a.load_id
WHERE l.status IN ('current', 'superseded');

CREATE OR REPLACE VIEW quarantine AS
SELECT l.org_id, l.provider, l.stream, l.partition_key, q.*
FROM quarantine_log AS q JOIN loads AS l ON l.load_id = q.load_id
WHERE l.status = 'current';
