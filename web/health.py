"""Open calls for operators and tools: alive, ready, metrics, the API's description."""

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST

from notifier.broker.faults import UNREACHABLE, Fault
from notifier.core.errors import NotifierError
from notifier.outbox import readiness
from web import metrics, openapi
from web.body import write
from web.describe import describe, public
from web.problems import answer
from web.runtime import WebRuntime, current
from web.schemas.problems import Health

OK = "ok"

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
    """Answer whether database and broker work; 503 names which does not, and its fault."""
    runtime = current()
    faults = {"database": _database(runtime), "broker": runtime.broker_fault()}
    parts = {name: fault.state if fault else OK for name, fault in faults.items()}
    if not any(faults.values()):
        return write({"status": OK, **parts})
    said = [f"{name}: {fault.state} ({fault.detail})" for name, fault in faults.items() if fault]
    response = answer(503, "Not ready", "; ".join(said), more=parts)
    response.headers["Retry-After"] = "2"
    return response


def _database(runtime: WebRuntime) -> Fault | None:
    try:
        cause = readiness.fault(runtime.database)
    except NotifierError:
        return Fault(UNREACHABLE, "it does not answer")
    return Fault(readiness.STATES[cause], cause.value) if cause else None


@blueprint.get("/metrics")
@public
@describe({200: "text/plain"})
def prometheus() -> Response:
    """Return the metrics of all processes of this web part, and the backlog in the database."""
    return Response(metrics.exposition(current().database), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/openapi.json")
@public
@describe({200: None})
def openapi_json() -> Response:
    """Return the API's description, OpenAPI 3.1."""
    return write(openapi.document(current_app, request.script_root))
