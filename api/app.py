"""Puts the application together from its services. Binds no port and starts no thread by itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, FastAPI

from api import errors, health
from api.attempts import Attempts
from api.context import Context
from api.headers import Guard
from api.live import LiveHub
from api.metrics import Meters
from api.presence import Presence, presences
from api.routes import (
    alarms,
    assets,
    docs,
    gateways,
    history,
    ledger,
    live,
    metrics,
    park,
    points,
    quarantine,
    session,
    twin,
)
from api.routes import health as health_routes
from api.screen import Screen
from api.security import Gate
from api.services import Services
from api.shapes import Problem

PREFIX = "/api/v1"
VERSION = "0.1.0"

PROBLEM: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": Problem,
        "description": "Problem (RFC 9457), in the language of Accept-Language",
    }
}


def create_app(services: Services) -> FastAPI:
    """The ASGI application; run it with the settings of `api.server`."""
    gate = Gate(
        services.records,
        services.secrets.pepper,
        services.now_ms,
        public_url=services.public_url,
        trust_s=services.limits.trust_s,
    )

    def present() -> list[Presence]:
        return presences(
            services.park.gateways,
            services.gateway_names,
            services.gateways.all(),
            services.now_ms(),
        )

    hub = LiveHub(
        services.live,
        present,
        services.journal.points.ids,
        lag_ms=services.lag_ms,
        now_ms=services.now_ms,
        limits=services.limits,
    )
    probes = health.all_probes(services)
    meters = Meters()
    meters.watch(services, hub, probes)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with hub.run():
            yield

    app = FastAPI(
        title="ParkTwin",
        version=VERSION,
        description="Digital twin of an industrial park: assets, readings, alarms, ledger.",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.gate = gate
    app.state.context = Context(services, gate, hub, Attempts(), meters, probes, present)
    errors.install(app)
    app.add_middleware(Guard, observe=meters.request, prefix=PREFIX)
    api = APIRouter(prefix=PREFIX, responses=PROBLEM)
    for module in (
        session,
        park,
        assets,
        points,
        history,
        twin,
        alarms,
        gateways,
        ledger,
        quarantine,
        live,
    ):
        api.include_router(module.router)
    app.include_router(api)
    for root in (health_routes, metrics, docs):
        app.include_router(root.router)
    if services.screen_dir is not None:
        app.mount("/", Screen(services.screen_dir), name="screen")
    return app
