"""`/openapi.json`: the OpenAPI description, put together from the endpoint table."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api.endpoint import (
    JSON,
    Content,
    Endpoint,
    Json,
    Parameter,
    reference,
)
from order_sagas.bridges.http.problems import ProblemDetails
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.records.message_schemas import plain_patterns


class OpenApiRoutes:
    """The endpoint of the description, which is generated once."""

    def __init__(self, others: Sequence[Endpoint]) -> None:
        """Describe all other endpoints, and this one."""
        self._text = json.dumps(describe([*others, *self.endpoints()])).encode()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint(
                "GET",
                "/openapi.json",
                Role.NONE,
                self._show,
                "This OpenAPI description",
                {200: Content({"type": "object"})},
            )
        ]

    async def _show(self, request: Request) -> Response:
        return Response(self._text, media_type=JSON)


def describe(endpoints: Sequence[Endpoint]) -> Json:
    """Return the OpenAPI 3.1 description of the API that consists of these endpoints."""
    paths: Json = {}
    for endpoint in endpoints:
        methods = paths.setdefault(endpoint.documented_path, {})
        methods[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "order-sagas",
            "version": "1",
            "description": "Orders, their sagas, and what an operator does with them. Times are "
            "ISO 8601 in UTC. Amounts are whole minor units of the order's currency (ISO 4217); "
            "`amountText` is the same amount formatted for display. Every error is a problem "
            "(RFC 9457).",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _operation(endpoint: Endpoint) -> Json:
    responses = {
        str(status): {"description": "", "content": _content(Content.of(described))}
        for status, described in endpoint.answers.items()
    }
    problem = _content(Content(reference("ProblemDetails"), "application/problem+json"))
    for status in endpoint.documented_problems():
        responses[str(status)] = {"description": "", "content": problem}
    found: Json = {"summary": endpoint.summary, "responses": responses}
    if parameters := endpoint.documented_parameters():
        found["parameters"] = [_parameter(each) for each in parameters]
    if endpoint.body is not None:
        content = _content(Content.of(endpoint.body))
        found["requestBody"] = {"required": endpoint.body_required, "content": content}
    return found


def _content(content: Content) -> Json:
    kinds = (content.media_type, *content.other_media_types)
    return {kind: {"schema": content.schema} for kind in kinds}


def _parameter(parameter: Parameter) -> Json:
    found: Json = {"name": parameter.name, "in": parameter.place, "schema": parameter.schema}
    if parameter.place == "path":
        found["required"] = True
    if parameter.about:
        found["description"] = parameter.about
    if parameter.explode:
        found["explode"] = True
    return found


def _schemas(endpoints: Iterable[Endpoint]) -> Json:
    structs: dict[type, None] = {ProblemDetails: None}
    components: Json = {}
    for content in _contents(endpoints):
        structs |= dict.fromkeys(content.structs)
        components |= content.components
    _, raw = msgspec.json.schema_components(structs, ref_template=reference("{name}")["$ref"])
    generated: dict[str, Any] = plain_patterns(raw)
    return generated | components


def _contents(endpoints: Iterable[Endpoint]) -> Iterable[Content]:
    for endpoint in endpoints:
        for described in (*endpoint.answers.values(), endpoint.body):
            if described is not None:
                yield Content.of(described)
