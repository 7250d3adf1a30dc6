"""The application: its resources, and what holds for every request."""

import json
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import BadRequest

from api import answers, auth, metrics, openapi, problems
from api.agents import agents
from api.attention import attention
from api.canned_replies import canned_replies
from api.connections import connections
from api.conversations import conversations
from api.demo import demo, handset
from api.desk import desk
from api.health import health, health_details
from api.ingress import ingress
from api.keys import keys
from api.mapping_reports import mapping_reports
from api.mappings import mappings
from api.media import media, media_links
from api.messages import messages
from api.pages import pages
from api.parked import parked
from api.queues import queues
from api.services import EXTENSION, Services
from api.session import session
from api.statistics import statistics
from api.stream import register as register_streams
from api.stream import stream
from api.users import users
from api.work_codes import work_codes

LARGEST_BODY = 256 * 1024  # octets; a route that takes files sets a limit of its own

# What is described by OpenAPI.
RESOURCES: tuple[APIBlueprint, ...] = (
    session,
    mappings,
    mapping_reports,
    connections,
    queues,
    agents,
    work_codes,
    canned_replies,
    conversations,
    messages,
    media,
    attention,
    desk,
    stream,
    statistics,
    parked,
    users,
    keys,
    health_details,
)
# What is not: webhooks are the providers' to describe, pages are for people.
OTHERS: tuple[Blueprint, ...] = (ingress, media_links, health, metrics.metrics, pages)
DEMO: tuple[Blueprint, ...] = (demo, handset)  # what exists in the demo only

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


def create_app(services: Services) -> OpenAPI:
    """The application over these services."""
    app = described_app()
    for blueprint in DEMO if services.demo else ():
        app.register_blueprint(blueprint)
    app.extensions[EXTENSION] = services
    app.secret_key = services.session_key
    app.before_request(_name_request)
    metrics.register(app, services)
    app.before_request(_refuse_garbled_address)
    auth.register(app, services.public_url)
    app.before_request(_read_json)
    answers.register(app)
    register_streams(app, services)
    is_https = services.public_url.startswith("https://")
    headers = SECURITY_HEADERS | (HTTPS_HEADERS if is_https else {})

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        if request.blueprint != ingress.name:  # no browser sees those answers, and they have to be quick
            for name, value in headers.items():
                response.headers.setdefault(name, value)
        return response

    return app


def create_monitor(services: Services) -> OpenAPI:
    """What a service without an API has to serve: probes, how its parts are, and metrics."""
    app = described_app((health_details,), (health, metrics.metrics))
    app.extensions[EXTENSION] = services
    app.secret_key = services.session_key
    app.before_request(_name_request)
    metrics.register(app, services)
    auth.register(app, services.public_url)
    answers.register(app)
    return app


def described_app(
    resources: Sequence[APIBlueprint] = RESOURCES, others: Sequence[Blueprint] = OTHERS
) -> OpenAPI:
    """Resources and errors, without services: enough to describe the application."""
    app = openapi.make_app()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.json = _StrictJSON(app)
    app.validation_error_callback = problems.invalid_document
    for resource in resources:
        app.register_api(resource)
    for blueprint in others:
        app.register_blueprint(blueprint)
    problems.register(app)
    return app


class _StrictJSON(DefaultJSONProvider):
    """JSON as RFC 8259 has it: UTF-8, no NaN, and no halves of a character, which nothing could store."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        text = s.decode() if isinstance(s, bytes) else s
        try:
            value = json.loads(text, parse_constant=_refuse_constant, **kwargs)
            if r"\ud" in text.lower():
                json.dumps(value, ensure_ascii=False).encode()  # raises UnicodeEncodeError, a ValueError
            return value
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)


def _refuse_garbled_address() -> None:
    """Raises BadRequest when path or query are not UTF-8: Werkzeug would replace what it cannot read."""
    if request.path.startswith("/ingress/"):
        return  # there the raw octets are signed, and the provider judges them
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise BadRequest("the address is not UTF-8") from None


def _read_json() -> None:
    """Read a JSON body once. Raises BadRequest, UnsupportedMediaType, RequestEntityTooLarge."""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.content_length and view and "body" in view.__annotations__:
        request.get_json()
