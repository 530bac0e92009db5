"""From a provider's listing to published rows, in four rooms: `plan` → `extract` → `load` → `publish`.

`run` is the way in and sets a run up; `driver` leads partitions through the rooms; `books` keeps the ledger. Around
them: `limiter`, `retry` and `classify` (remote calls), `spool` and `segments` (pages on disk), `context` (what hooks
get), `lock`, `clock`, `report`, `failpoints`.
"""
