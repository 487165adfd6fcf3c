"""Open calls for operators and tools: alive, ready, metrics, the API's description."""

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST

from notifier.core.errors import NotifierError
from web import metrics, openapi
from web.body import write
from web.describe import describe, public
from web.problems import answer
from web.runtime import WebRuntime, current
from web.schemas import Health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
@describe({200: Health})
def alive() -> Response:
    """Answer that this process is alive."""
    return write({"status": "ok"})


@blueprint.get("/readyz")
@public
@describe({200: Health}, errors=(503,))
def ready() -> Response:
    """Database and broker can be reached; 503 says which cannot."""
    runtime = current()
    parts = {"database": _database(runtime), "broker": _broker(runtime)}
    down = [name for name, state in parts.items() if state != "ok"]
    if not down:
        return write({"status": "ok", **parts})
    response = answer(503, "Not ready", f"not reachable: {', '.join(down)}")
    response.headers["Retry-After"] = "2"
    return response


def _database(runtime: WebRuntime) -> str:
    try:
        runtime.database.check()
    except NotifierError:
        return "unreachable"
    return "ok"


def _broker(runtime: WebRuntime) -> str:
    return "ok" if runtime.broker_answers() else "unreachable"


@blueprint.get("/metrics")
@public
@describe({200: "text/plain"})
def prometheus() -> Response:
    """Prometheus metrics of all processes of this web part, and the backlog in the database."""
    return Response(metrics.exposition(current().database), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/openapi.json")
@public
@describe({200: None})
def openapi_json() -> Response:
    """Return the API's description, OpenAPI 3.1."""
    return write(openapi.document(current_app))
