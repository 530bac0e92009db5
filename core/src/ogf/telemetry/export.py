"""Where this process's spans and metrics go: an OTLP collector, by the standard `OTEL_*` variables, and Prometheus.

A collector that is not there, or anything wrong with these settings, costs a line of text, never the run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import structlog

from ogf.redaction import Redactor
from ogf.telemetry import metrics, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ogf.telemetry.otlp import Pipeline

Signal = Literal["traces", "metrics"]

# How long the end of a process waits for a collector, in seconds.
FLUSH_SECONDS = 5.0
_SPOKEN = "http/protobuf"


@dataclass
class _Process:
    """What this process has set up."""

    pipeline: Pipeline | None = None
    wrong: list[str] = field(default_factory=list)


_process = _Process()


def setup(
    *, tracing: bool | None = None, prometheus: bool = False, environ: Mapping[str, str] | None = None
) -> None:
    """Begin to send spans and metrics. Never raises: what is wrong is told by `shutdown`, and logged at once.

    Args:
        tracing: the setting `telemetry.tracing`: True sends spans even without an `OTEL_*` variable, to the standard
            address; False sends none whatever the variables say; None leaves it to them.
        prometheus: keep metrics for `ogf.telemetry.metrics.exposition`.
        environ: the environment; the process's own if None.
    """
    shutdown()
    environ = os.environ if environ is None else environ
    if environ.get("OTEL_SDK_DISABLED", "").strip().casefold() == "true":
        return
    targets = {
        signal: address
        for signal, wanted in (("traces", tracing), ("metrics", None))
        if (address := _target(signal, environ, wanted=wanted))  # type: ignore[arg-type]
    }
    if not targets and not prometheus:
        return
    try:
        from ogf.telemetry.otlp import Pipeline

        pipeline = Pipeline(targets, prometheus=prometheus, environ=environ, mask=_mask(environ))
    except ImportError as error:
        _say(f"telemetry is asked for, but {error.name} is not installed", "pip install 'ogf[telemetry]'")
    except Exception as error:  # noqa: BLE001 - a variable that OpenTelemetry cannot read must not stop a run
        _say(f"telemetry is off: {_mask(environ)(str(error))}", "check the OTEL_* variables")
    else:
        _process.pipeline = pipeline
        spans.use(pipeline.tracers)
        metrics.use(pipeline.meters, registry=pipeline.registry)


def shutdown(timeout: float = FLUSH_SECONDS) -> list[str]:
    """Send what is left, for at most `timeout` seconds, and stop.

    Returns:
        Lines for people about what went wrong since `setup`, each with what to do; none if all was sent.
    """
    lines, _process.wrong = _process.wrong, []
    pipeline, _process.pipeline = _process.pipeline, None
    if pipeline is not None:
        spans.use(None)
        metrics.use(None)
        lines += pipeline.close(timeout)
    return lines


def _target(signal: Signal, environ: Mapping[str, str], *, wanted: bool | None) -> str:
    """The collector's address for a signal, for messages; empty if it is not to be sent."""
    of_signal = f"OTEL_EXPORTER_OTLP_{signal.upper()}"
    address = _first(environ, f"{of_signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporters = _first(environ, f"OTEL_{signal.upper()}_EXPORTER").split(",")
    named = [name.strip() for name in exporters if name.strip()]
    if wanted is False or "none" in named or not (wanted or address or "otlp" in named):
        return ""
    if named and "otlp" not in named:
        if named != ["prometheus"]:
            _say(
                f"OTEL_{signal.upper()}_EXPORTER is {','.join(named)}, which ogf does not have: no {signal} are sent",
                "set it to otlp or none",
            )
        return ""
    protocol = _first(environ, f"{of_signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or _SPOKEN
    if protocol != _SPOKEN:
        _say(
            f"ogf speaks OTLP over {_SPOKEN} alone, not {protocol}: no {signal} are sent",
            f"set OTEL_EXPORTER_OTLP_PROTOCOL={_SPOKEN} and the collector's HTTP port, usually 4318",
        )
        return ""
    return address or "http://localhost:4318"


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((text for name in names if (text := environ.get(name, "").strip())), "")


def _mask(environ: Mapping[str, str]) -> Callable[[str], str]:
    """Masks the collector's own credentials: the headers that the variables name, in whole and each."""
    headers = [value for name, value in environ.items() if name.startswith("OTEL_") and "HEADERS" in name]
    parts = (pair.partition("=")[2] for text in headers for pair in text.split(","))
    return Redactor([*headers, *parts]).text


def _say(what: str, remedy: str) -> None:
    structlog.get_logger("ogf").warning("telemetry", message=what, hint=remedy)
    _process.wrong.append(f"{what}\n  → {remedy}")
