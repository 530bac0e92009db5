"""An AWS service on loopback, made from botocore's model of it: whatever the model does not allow is refused.

For services that moto lacks. boto3 is led to it by `AWS_ENDPOINT_URL_<SERVICE>`:

    with ServiceFake("sustainability", {"GetEstimatedCarbonEmissions": answer}) as fake:
        monkeypatch.setenv(*fake.environment)
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING, Any, Self

import botocore.session
from botocore.validate import ParamValidator
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel, Shape

    Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Refusal(Exception):
    """What an answer raises to refuse: a code of the service."""

    def __init__(self, code: str, status: int = 400, **headers: str) -> None:
        super().__init__(code)
        self.code, self.status, self.headers = code, status, headers


class ServiceFake:
    """Speaks `json` and `rest-json` with the body as the only place of parameters.

    Attributes:
        calls: operation and parameters of every call that the model allows.
        checks_answers: whether answers must be as the model says.
        mistakes: what calls or answers had that the model does not allow; a test's end checks that it is empty.
    """

    def __init__(self, service: str, answers: Mapping[str, Answer]) -> None:
        self.model = botocore.session.get_session().get_service_model(service)
        self.answers = dict(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.mistakes: list[str] = []
        self.checks_answers = True
        self._faults: list[Refusal] = []
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> tuple[str, str]:
        name = self.model.service_id.hyphenize().replace("-", "_").upper()
        return f"AWS_ENDPOINT_URL_{name}", f"http://127.0.0.1:{self._server.port}"

    def fail(self, code: str, status: int = 400, *, times: int = 1, **headers: str) -> None:
        """Refuse the next calls, whatever they are."""
        self._faults += [Refusal(code, status, **headers)] * times

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @Request.application
    def _serve(self, request: Request) -> Response:
        operation = self._operation(request)
        if operation is None:
            return self._wrong(f"there is no operation at {request.method} {request.path}")
        given = json.loads(request.get_data() or b"{}")
        if wrong := problems(given, operation.input_shape):
            return self._wrong(f"{operation.name}: {wrong}")
        self.calls.append((operation.name, given))
        try:
            if self._faults:
                raise self._faults.pop(0)
            answer = self.answers[operation.name](given)
        except Refusal as refusal:
            return _refused(refusal.code, refusal.status, refusal.headers)
        if self.checks_answers and (wrong := problems(answer, operation.output_shape)):
            return self._wrong(f"the answer to {operation.name}: {wrong}")
        return Response(json.dumps(answer, default=_epoch), content_type="application/x-amz-json-1.1")

    def _operation(self, request: Request) -> OperationModel | None:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        for name in self.model.operation_names:
            operation = self.model.operation_model(name)
            here = (request.method, request.path) == (operation.http["method"], operation.http["requestUri"])
            if name == target or (here and not target and self.model.metadata["protocol"] == "rest-json"):
                return operation
        return None

    def _wrong(self, what: str) -> Response:
        self.mistakes.append(what)
        return _refused("ValidationException", 400, {})


def problems(value: Any, shape: Shape) -> str:
    """What the model has against a value; "" for nothing. botocore itself lets any text pass for an enumeration."""
    report = ParamValidator().validate(value, shape)
    return report.generate_report() if report.has_errors() else "; ".join(_unlisted(value, shape, shape.name))


def _unlisted(value: Any, shape: Shape, path: str) -> list[str]:
    match shape.type_name:
        case "string" if getattr(shape, "enum", None) and value not in shape.enum:
            return [f"{path} may not be {value!r}"]
        case "structure":
            parts = [(value[name], member, name) for name, member in shape.members.items() if name in value]
        case "list":
            parts = [(item, shape.member, "[]") for item in value]
        case "map":
            parts = [(key, shape.key, "key") for key in value]
            parts += [(item, shape.value, key) for key, item in value.items()]
        case _:
            return []
    return [text for item, inner, name in parts for text in _unlisted(item, inner, f"{path}.{name}")]


def _refused(code: str, status: int, headers: Mapping[str, str]) -> Response:
    body = json.dumps({"__type": code, "message": "injected"})
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(
        body, status, {"x-amzn-errortype": code, **named}, content_type="application/x-amz-json-1.1"
    )


def _epoch(value: object) -> float:
    if isinstance(value, dt.datetime):
        return value.timestamp()
    raise TypeError(f"no JSON for {value!r}")
