"""The OpenAPI document at /openapi.json, for whoever may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.service.auth.gate import Reader
from ogf.service.routes.asked import errors

if TYPE_CHECKING:
    from fastapi import FastAPI


def describe(app: FastAPI) -> None:
    """Add the route. The document is made once, when it is first asked for."""

    @app.get("/openapi.json", include_in_schema=False, responses=errors())
    def document(who: Reader) -> dict[str, Any]:
        del who
        return app.openapi()
