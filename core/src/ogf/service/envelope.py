"""Every error of the API in one envelope.

`{"error": {"code", "message", "detail"?, "status", "requestId", "timestamp", "fields"?}}`
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ogf.errors import ConfigError, OgfError, PluginError, WarehouseBusy, WarehouseError
from ogf.telemetry import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "body_too_large",
    429: "too_many_requests",
    500: "internal",
}
_WORDS = {
    404: ("there is nothing at this path", "GET /openapi.json lists what there is"),
    405: ("this path does not take this method", "the header Allow lists those it takes"),
}
_CHOICES = re.compile(r"\^\(([\w|]+)\)")
_MONTH = "^[12][0-9]{3}-"
_log: Any = structlog.get_logger("ogf.service")


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    code: str = Field(examples=["invalid_provider"])
    message: str = Field(examples=["there is no provider of this name; installed: aws, azure, gcp"])
    detail: str | None = Field(default=None, examples=["ask for one of aws, azure, gcp"])
    status: int = Field(examples=[400])
    requestId: str = Field(examples=["0f8fad5bd9cb469fa165a7a04cd4c0e1"])  # noqa: N815 - the name is promised
    timestamp: str = Field(examples=["2026-11-24T10:45:00Z"])
    fields: dict[str, str] | None = Field(default=None, examples=[{"query.per_page": "it is more than 100"}])


class Envelope(BaseModel):
    """The body of every answer that is no success."""

    error: Problem


class ApiError(Exception):
    """An answer that is no success, raised anywhere below a route."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        detail: str | None = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.fields = dict(fields) if fields else None
        self.headers = dict(headers or {})


def timestamp() -> str:
    """Now, as the API writes times: UTC, whole seconds."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def request_id(scope: Mapping[str, Any]) -> str:
    """The id that the answer's header X-Request-ID and the logs have too."""
    return str(scope.setdefault("state", {}).setdefault("request_id", uuid.uuid4().hex))  # type: ignore[attr-defined]


def answer(scope: Mapping[str, Any], error: ApiError) -> JSONResponse:
    """An error as its answer. Secrets are masked, whatever text they came in with."""
    problem = Problem(
        code=error.code,
        message=masked(error.message),
        detail=masked(error.detail) if error.detail else None,
        status=error.status,
        requestId=request_id(scope),
        timestamp=timestamp(),
        fields=error.fields,
    )
    headers = dict(error.headers)
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    body = Envelope(error=problem).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=error.status, headers=headers)


def translated(error: Exception) -> ApiError:
    """Any error as the answer it gets. One that nobody foresaw is logged, and its text stays here."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            code = _CODES.get(error.status_code, "error")
            words = _WORDS.get(error.status_code, (str(error.detail), None))
            return ApiError(error.status_code, code, words[0], detail=words[1], headers=error.headers)
        case WarehouseBusy():
            return ApiError(
                503,
                "warehouse_busy",
                error.message,
                detail="ask again in a few seconds; nothing was lost",
                headers={"Retry-After": "5"},
            )
        case WarehouseError():
            _log.error("warehouse cannot be used", error=str(error))
            return ApiError(503, "warehouse_unavailable", error.message, detail=error.hint)
        case ConfigError() | PluginError():
            return ApiError(503, "ingestion_unavailable", error.message, detail=error.hint)
        case OgfError():
            return ApiError(500, "failed", error.message, detail=error.hint)
        case _:
            _log.error("unforeseen error", exc_info=error)
            return ApiError(
                500,
                "internal",
                "ogf did not foresee this",
                detail="the service's log tells more, by requestId",
            )


def _invalid(error: RequestValidationError) -> ApiError:
    fields = {".".join(str(part) for part in item["loc"]): _plainly(item) for item in error.errors()}
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return ApiError(400, "malformed_json", "the body is not JSON", fields=fields)
    first = next(iter(fields.items()), ("", "the request is not valid"))
    return ApiError(422, "validation_failed", f"{first[0]}: {first[1]}", fields=fields)


def _plainly(item: Mapping[str, Any]) -> str:
    """What is wrong with a value, in words for whoever sent it."""
    if item["type"] == "model_attributes_type":
        return "it is no JSON object; a JSON body needs Content-Type: application/json"
    pattern = str(item.get("ctx", {}).get("pattern", ""))
    if words := _CHOICES.match(pattern):
        several = pattern.endswith(")*$")
        return f"it must be {'some' if several else 'one'} of {', '.join(words[1].split('|'))}"
    if pattern.startswith(_MONTH):
        return "it must be a month, YYYY-MM" + (", or its first day" if "-01)?" in pattern else "")
    return str(item["msg"])


def install(app: FastAPI) -> None:
    """Let every error that a route raises, and those of the framework, end in the envelope."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        problem = translated(error)
        if problem.status == 405:
            problem.headers["Allow"] = ", ".join(_methods(app, request.url.path))
        return answer(request.scope, problem)

    for kind in (ApiError, RequestValidationError, HTTPException, OgfError):
        app.add_exception_handler(kind, handle)


def _methods(app: FastAPI, path: str) -> list[str]:
    """Every method that some route offers for a path: the framework tells those of the first alone."""
    routes = (route for route in app.routes if isinstance(route, Route) and route.path_regex.match(path))
    return sorted({method for route in routes for method in route.methods or ()})
