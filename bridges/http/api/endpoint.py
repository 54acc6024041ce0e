"""One row of the endpoint table: what routes a request, and what describes it in OpenAPI."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import attrs
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api.schemas import ActionReceipt
from order_sagas.bridges.http.server.tokens import Role

Handle = Callable[[Request], Awaitable[Response]]
Json = dict[str, Any]

JSON = "application/json"
ANY_REQUEST = frozenset({401, 403, 422, 429, 500, 503})
"""Error statuses that any request may be answered with; 422 also for an unknown parameter."""
_WITH_BODY = frozenset({400, 408, 413, 415})
_NO_SUCH_THING = frozenset({404})


@attrs.frozen
class Content:
    """A body in JSON or another media type, and what its schema refers to by name."""

    schema: Json
    media_type: str = JSON
    structs: tuple[type, ...] = ()
    """Structs that the schema refers to; their schemas are generated."""
    components: Mapping[str, Json] = attrs.field(factory=dict)
    """Further schemas that it refers to, by name."""
    other_media_types: tuple[str, ...] = ()
    """Media types of which a parameter of the request chooses one in place of `media_type`."""

    @classmethod
    def of(cls, described: "type | Content") -> "Content":
        """Return the content of a struct in JSON; a Content is returned as it is."""
        if isinstance(described, Content):
            return described
        return cls(reference(described.__name__), structs=(described,))


@attrs.frozen
class Parameter:
    """A parameter in the path, in the query or in a header. Those in the path are required."""

    name: str
    schema: Json
    about: str = ""
    place: Literal["path", "query", "header"] = "query"
    explode: bool = False
    """Whether the parameter is repeated for each value of an array."""


@attrs.frozen
class Endpoint:
    """One method of one path, with the permissions of which it needs one, and its handler.

    `{id:path}` matches slashes. Parameters of the path that `parameters` lacks are texts.
    """

    method: str
    path: str
    role: Role
    handle: Handle
    summary: str
    answers: Mapping[int, type | Content]
    """Content of each response that is not an error: a struct, or a Content."""
    parameters: tuple[Parameter, ...] = ()
    """Under `/api/`, query parameters that are not among them are refused."""
    body: type | Content | None = None
    body_required: bool = True
    problems: frozenset[int] = ANY_REQUEST
    """Error statuses, apart from those that come with a body or with a parameter of the path."""

    @property
    def documented_path(self) -> str:
        """The path in OpenAPI notation: `{id}` in place of `{id:path}`."""
        return self.path.replace(":path}", "}")

    @property
    def query(self) -> tuple[str, ...]:
        """Names of the query parameters."""
        return tuple(each.name for each in self.parameters if each.place == "query")

    def documented_parameters(self) -> list[Parameter]:
        """Return all parameters, those of the path first."""
        declared = {each.name: each for each in self.parameters if each.place == "path"}
        text = {"type": "string", "minLength": 1}
        in_path = [
            declared.get(name) or Parameter(name, text, place="path")
            for name in re.findall(r"\{(\w+)", self.path)
        ]
        return in_path + [each for each in self.parameters if each.place != "path"]

    def documented_problems(self) -> list[int]:
        """Return all error statuses, in numerical order."""
        found = self.problems
        if self.body is not None:
            found |= _WITH_BODY
        if "{" in self.path:
            found |= _NO_SUCH_THING
        return sorted(found - self.answers.keys())


def read_endpoint(
    path: str, handle: Handle, summary: str, content: type | Content, *parameters: Parameter
) -> Endpoint:
    """Return the endpoint of a GET for those who may read, which has one kind of answer."""
    return Endpoint("GET", path, Role.READ, handle, summary, {200: content}, parameters)


def action_endpoint(
    path: str, handle: Handle, summary: str, body: type | Content, *parameters: Parameter
) -> Endpoint:
    """Return the endpoint of an action on one target, whose body may be left out."""
    return Endpoint(
        "POST",
        path,
        Role.ACT,
        handle,
        summary,
        {202: ActionReceipt},
        parameters,
        body=body,
        body_required=False,
        problems=ANY_REQUEST | {409},
    )


def reference(name: str) -> Json:
    """Return the schema that refers to a component by its name."""
    return {"$ref": f"#/components/schemas/{name}"}
