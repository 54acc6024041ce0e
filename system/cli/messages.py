"""`order-sagas messages`: the messages of the app, and their JSON Schemas."""

from typing import Any

import click
import msgspec

from order_sagas.actors.messages import Message
from order_sagas.bridges.intake.message_schema import ENVELOPE, TRACE
from order_sagas.bridges.records.message_schemas import json_schema, type_text
from order_sagas.system.app import App, app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.output import console, plain_table, print_document, print_json
from order_sagas.system.settings import Settings, settings_options


@click.command("messages")
@click.argument("name", required=False, shell_complete=complete.messages)
@click.option(
    "--json-schema", "as_schema", is_flag=True, help="Print the JSON Schema of all, or of NAME."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("app")
def messages_command(name: str | None, as_schema: bool, as_json: bool, settings: Settings) -> None:
    """List the messages of the app, or show the fields of one.

    NAME is a status, such as ORDER_CREATED, or the name of the class. The JSON Schemas are made
    from the classes; those who write a service in another language can generate theirs from them.
    """
    app = app_of(settings)
    chosen = _named(app, name)
    if as_schema:
        print_document(json_schema([chosen] if chosen else [*app.messages.values()]))
    elif as_json:
        print_json(
            [
                _as_json(app, status, message)
                for status, message in app.messages.items()
                if chosen in (None, message)
            ]
        )
    elif chosen:
        _print_fields(chosen)
    else:
        _print_all(app)


def _named(app: App, name: str | None) -> type[Message] | None:
    if name is None:
        return None
    for status, message in app.messages.items():
        if name in (status, message.__name__):
            return message
    raise click.UsageError(f"there is no message {name!r}; there are {', '.join(app.messages)}")


def _print_all(app: App) -> None:
    table = plain_table("message", "topics", "for", "fields")
    for status, message in app.messages.items():
        shown = _as_json(app, status, message)
        about = [f"starts {shown['starts']}"] if shown["starts"] else []
        table.add_row(
            status, ", ".join(shown["topics"]), ", ".join([*about, *shown["receivers"]]),
            ", ".join(field["name"] for field in shown["fields"]),
        )  # fmt: skip
    console().print(table)


def _as_json(app: App, status: str, message: type[Message]) -> dict[str, Any]:
    topics = [topic for topic in app.topics if app.routes.of(topic, message)]
    receivers = {
        route.receiver: None for topic in topics for route in app.routes.of(topic, message)
    }
    started = app.registry.started_by.get(message)
    return {
        "message": status,
        "topics": topics,
        "starts": started.name if started else None,
        "receivers": [*receivers],
        "fields": [
            {"name": field.encode_name, "type": type_text(field.type), "required": field.required}
            for field in _own_fields(message)
        ],
    }


def _print_fields(message: type[Message]) -> None:
    table = plain_table("field", "type", "default")
    for field in _own_fields(message):
        default = "required" if field.required else _default(field)
        table.add_row(field.encode_name, type_text(field.type), default)
    console().print(table)


def _own_fields(message: type[Message]) -> list[msgspec.structs.FieldInfo]:
    """Return the fields that are not set by the system, the order id first."""
    found = [each for each in msgspec.structs.fields(message) if each.encode_name not in ENVELOPE]
    found = [each for each in found if each.encode_name not in TRACE]
    return sorted(found, key=lambda field: field.encode_name != "orderId")


def _default(field: msgspec.structs.FieldInfo) -> str:
    made: Any = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        made = field.default_factory()
    return msgspec.json.encode(made).decode()
