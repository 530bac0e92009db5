"""What ogf tells of itself: logs (`logs`), spans (`spans`) and metrics (`metrics`), and where they go (`export`).

Logs need nothing. Spans and metrics cost nothing until `setup` finds somebody to send them to; they need
`pip install 'ogf[telemetry]'`.
"""

from ogf.redaction import is_sensitive, redact
from ogf.telemetry.export import setup, shutdown
from ogf.telemetry.logs import LogFormat, LogLevel, configure, masked

__all__ = ["LogFormat", "LogLevel", "configure", "is_sensitive", "masked", "redact", "setup", "shutdown"]
