"""From a provider's listing to published rows, in four rooms: `plan` → `extract` → `load` → `publish`.

`run` is the way in and sets a run up; `planner` plans its streams; `driver` leads partitions (`work`) through the
rooms with a `crew` of workers; `books` keeps the ledger. Around them: `limiter`, `retry`, `classify` and `failure`
(remote calls and what their errors mean), `spool` and `segments` (pages on disk), `context` and `contexts` (what hooks
get), `lock`, `clock`, `report`, `failpoints`.
"""
