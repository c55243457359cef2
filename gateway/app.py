"""The door: which path leads where."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.api_keys import ApiKeys
from gateway.files import Files
from gateway.unsubscribe import unsubscribe_route
from services.kit.graph import Channels
from services.kit.graph.http import TIMEOUT_S, GraphQLEndpoint
from services.kit.graph.schema import ServedSchema
from services.kit.principal import Principal


@dataclass(slots=True)
class Readiness:
    """Whether requests should come: what the process knows and its health tells."""

    ready: bool = False


def app(
    schemas: Mapping[str, ServedSchema],
    *,
    api_keys: ApiKeys,
    channels: Channels,
    readiness: Readiness,
    timeout_s: float = TIMEOUT_S,
) -> Starlette:
    """Return the gateway's application: each schema at its path, files, the page to unsubscribe, and health.

    A federation router in front of /subgraphs/NAME passes on the caller's Authorization header: who asks is checked
    there as it is at /graphql.
    """

    async def caller_of(request: Request) -> Principal | None:
        return await api_keys.caller(request.headers.get("authorization"))

    async def tell_live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def tell_ready(_request: Request) -> Response:
        if readiness.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503)

    routes = [
        Route(path, GraphQLEndpoint(schema, caller_of=caller_of, channels=channels, timeout_s=timeout_s))
        for path, schema in schemas.items()
    ]
    routes.append(unsubscribe_route(channels))
    routes += Files(caller_of=caller_of, channels=channels).routes
    return Starlette(routes=[*routes, Route("/health/live", tell_live), Route("/health/ready", tell_ready)])
