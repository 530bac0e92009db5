"""The application: routes, errors and pages around a `Service`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from ogf import __version__
from ogf.service import envelope
from ogf.service.dashboard import pages
from ogf.service.limits import Limits
from ogf.service.openapi import describe
from ogf.service.routes import activities, connectors, figures, health, jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ogf.service.service import Service


def application(service: Service) -> FastAPI:
    """The application of a service that was started. It closes it when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        # not in the pool of the requests, which slow ones may have filled
        await asyncio.get_running_loop().run_in_executor(None, service.close)

    app = FastAPI(
        title="OffGridFlow",
        version=__version__,
        description="Start syncs, watch them, and read the carbon and cost of every cloud.",
        docs_url=None,  # its pages fetch their scripts from another host
        redoc_url=None,
        openapi_url=None,  # behind the gate, see openapi.py
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    envelope.install(app)
    for routes in (health, pages, connectors, jobs, figures, activities):
        app.include_router(routes.router)
    describe(app)
    app.add_middleware(Limits)
    return app
