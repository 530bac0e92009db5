"""The OpenAPI document at /openapi.json, for whoever may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.service.auth.gate import Reader
from ogf.service.routes.asked import errors

if TYPE_CHECKING:
    from fastapi import FastAPI


def describe(app: FastAPI) -> None:
    """Add the route, when all others are there."""
    described = _described(app, app.state.service.connectors.names)

    @app.get("/openapi.json", include_in_schema=False, responses=errors())
    def document(who: Reader) -> dict[str, Any]:
        del who
        return described


def _described(app: FastAPI, providers: list[str]) -> dict[str, Any]:
    """The document, with what is only known here: which providers there are to be named."""
    found = app.openapi()
    for path, name in (("/api/connectors/sync/{provider}", "provider"), ("/api/connectors/test", "name")):
        for parameter in found["paths"][path]["post"]["parameters"]:
            if parameter["name"] == name:
                parameter["schema"]["enum"] = providers
    return found
