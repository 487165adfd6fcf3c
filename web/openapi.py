"""The API's description, OpenAPI 3.1, generated from the routes and their descriptions."""

import re
from importlib.metadata import version
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from notifier.core.categories import categories
from notifier.core.events import event_types
from notifier.core.life import OF_ENTRIES
from web.describe import Answer, Description
from web.problems import MEDIA_TYPE
from web.schemas.problems import ProblemBody
from web.schemas.sending import DEFAULT_EVENT, SendBody

REF = "#/components/schemas/{model}"
BY_THE_SERVER = (414, 431)  # answered by the server itself, so without a problem's body
BY_GUESSES = (429,)  # of every call with credentials: too many wrong ones came from the address
_BOTH_ENDS = {
    "properties": {"expires_at": {"type": "string"}, "expires_in": {"type": "number"}},
    "required": ["expires_at", "expires_in"],
}
REASONS = {
    200: "Done",
    201: "Done",
    202: "Accepted: durable, whatever happens next",
    204: "Done",
    400: "The body is not JSON",
    401: "The credentials are missing, wrong or expired",
    403: "The credentials do not give this right",
    404: "There is no such thing",
    409: "It does not fit the present state: expired, canceled, retracted, or of another version",
    408: "The body did not come in time",
    413: "The body is over 1 MiB",
    414: "The request line is over 4,094 bytes",
    422: "A rule is broken; `errors` says which",
    429: "Over a limit; see RateLimit and Retry-After",
    431: "A header is over 8,190 bytes, or there are more than 100",
    503: "Something needed is down; see Retry-After",
}


def document(app: Flask, root: str = "") -> dict[str, Any]:
    """Return the description of every described route of `app`, which is served below the path `root`."""
    routes = [
        (rule, view, view.description)
        for rule in app.url_map.iter_rules()
        if hasattr(view := app.view_functions[rule.endpoint], "description")
    ]
    schemas = _schemas([description for _, _, description in routes])
    paths: dict[str, Any] = {}
    for rule, view, description in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(
                rule.endpoint, view, description, sorted(rule.arguments), schemas
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Live Notifications",
            "version": version("live-notifications-service"),
            "description": "Send durable live notifications, and read the inbox. "
            "The WebSocket at /ws is described in docs/websocket.md.",
        },
        "servers": [{"url": root or "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "an API key; scopes are roles"},
                "userToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def _schemas(descriptions: list[Description]) -> dict[str, Any]:
    models: set[type[BaseModel]] = {ProblemBody}
    for description in descriptions:
        models |= {m for m in (description.request, description.query, *description.answers.values())
                   if isinstance(m, type)}  # fmt: skip
    events = event_types()
    ordered = sorted(models | {event.schema for event in events}, key=lambda model: model.__name__)
    _, found = models_json_schema([(model, "validation") for model in ordered], ref_template=REF)
    schemas: dict[str, Any] = found["$defs"]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("default", ...) is None:
                del field["default"]  # it means no more than "optional"
    if SendBody.__name__ in schemas:
        schemas[SendBody.__name__]["properties"]["event"] |= {"enum": [event.name for event in events]}
        schemas[SendBody.__name__]["allOf"] = [
            {
                "if": {"properties": {"event": {"const": event.name}}}
                # Without `event` it is an alert, and no other event's schema counts.
                | ({} if event.name == DEFAULT_EVENT else {"required": ["event"]}),
                "then": {
                    "properties": {"data": {"$ref": REF.format(model=event.schema.__name__)}}
                    | ({} if event.inbox else {name: {"type": "null"} for name in OF_ENTRIES})
                },
            }
            for event in events
        ]
        schemas[SendBody.__name__]["not"] = _BOTH_ENDS
        schemas[SendBody.__name__]["properties"]["category"] = {
            "anyOf": [{"enum": [category.name for category in categories()]}, {"type": "null"}]
        }
    return schemas


def _operation(
    endpoint: str, view: Any, description: Description, arguments: list[str], schemas: dict[str, Any]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in arguments
    ]
    parameters += [
        {"name": name, "in": "header", "schema": schema} for name, schema in description.headers.items()
    ]
    if description.query:
        asked = schemas[description.query.__name__]
        needed = asked.get("required", ())
        parameters += [
            {"name": name, "in": "query", "schema": schema, **({"required": True} if name in needed else {})}
            for name, schema in asked["properties"].items()
        ]
    guesses = BY_GUESSES if view.access != "open" else ()
    operation: dict[str, Any] = {
        "operationId": endpoint.replace(".", "_"),
        "summary": (view.__doc__ or "").strip().splitlines()[0],
        "security": _security(view),
        "responses": {str(status): _answer(status, body) for status, body in description.answers.items()}
        | {str(status): _problem(status) for status in (*description.errors, *guesses)}
        | {str(status): _answer(status, None) for status in BY_THE_SERVER},
    }
    if parameters:
        operation["parameters"] = parameters
    if description.request:
        schema = {"$ref": REF.format(model=description.request.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _security(view: Any) -> list[dict[str, list[str]]]:
    """Return who may call it: one of these is enough. Roles beside a bearer token are new in OpenAPI 3.1."""
    own: list[dict[str, list[str]]] = [{"userToken": []}] if view.access.startswith("user") else []
    return own + [{"apiKey": [scope]} for scope in getattr(view, "scopes", ())]


def _answer(status: int, body: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": REASONS[status]}
    if isinstance(body, str):
        response["content"] = {body: {"schema": {"type": "string"}}}
    elif body is not None:
        schema = {"$ref": REF.format(model=body.__name__)}
        response["content"] = {"application/json": {"schema": schema}}
    return response


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=ProblemBody.__name__)}
    return {"description": REASONS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
