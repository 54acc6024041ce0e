"""Examples of commands, which their help ends with."""

import click

EXAMPLES = {
    "demo": ("demo --orders 10000", "demo --http"),
    "start": ("start --workers 2 --http 127.0.0.1:8080",),
    "http": ("http --http 0.0.0.0:8080 --http-tokens tokens.toml",),
    "http token": ("http token shop --role submit >> tokens.toml",),
    "status": ("status --watch", "status --json"),
    "stop": ("stop",),
    "topics create": ("topics create --kafka broker:9092 --replication 3",),
    "topics check": ("topics check --kafka broker:9092",),
    "topics accept-reset": ("topics accept-reset order-events --kafka broker:9092 --dry-run",),
    "topics asyncapi": ("topics asyncapi > asyncapi.json",),
    "settings": ("settings --workers 2", "settings --toml > order-sagas.toml"),
    "prune": (
        "prune --older-than 90d --dry-run",
        "prune --older-than 90d --archive pruned.jsonl",
    ),
    "database version": ("database version",),
    "database migrate": ("database migrate --dry-run",),
    "submit": ("submit orders.jsonl --wait", "submit - --format csv < orders.csv"),
    "stock load": ("stock load stock.csv",),
    "stock show": ("stock show PEN",),
    "orders": (
        "orders --status cancelled --since 2026-11-01",
        "orders --customer C-7 --amount-from 'EUR 100' --json",
    ),
    "sagas": ("sagas --status needs_attention", "sagas --step 'reserve stock' --csv > sagas.csv"),
    "sagas early": ("sagas early", "sagas early --limit 0 --json"),
    "sagas locks": ("sagas locks",),
    "sagas migrate": ("sagas migrate place-order --to 2 --dry-run",),
    "schedules": ("schedules",),
    "show": ("show A-1", "show A-1 --json"),
    "messages": ("messages ORDER_CREATED", "messages --json-schema > messages.json"),
    "trace": ("trace A-1", "trace A-1 --format mermaid"),
    "audit": ("audit", "audit --ended --json"),
    "retry": (
        "retry A-1 --step 'process payment' --why 'it is up again'",
        "retry --all --step 'process payment' --older-than 1h --dry-run",
    ),
    "skip": ("skip A-1 --step 'process payment' --why 'refunded by hand'",),
    "resume": ("resume A-1", "resume --all --code timed_out --dry-run"),
    "cancel": ("cancel A-1 --why 'the customer called'",),
    "pause": ("pause payments --why 'the provider is down'",),
    "unpause": ("unpause payments",),
    "deadlines repair": ("deadlines repair --dry-run",),
    "actions list": ("actions list --limit 10", "actions list --outcome pending"),
    "actions approve": ("actions approve 17",),
    "actions reject": ("actions reject 17 --why 'the amount is wrong'",),
    "dead-letters list": ("dead-letters list",),
    "dead-letters show": ("dead-letters show 17",),
    "dead-letters replay": (
        "dead-letters replay 17 --why 'the new version reads it'",
        "dead-letters replay --all --topic payment-events --dry-run",
    ),
    "dead-letters discard": ("dead-letters discard 17 --why 'seen'",),
    "new": ("new lending",),
    "simulate": ("simulate --seeds 100", "simulate --app shop.app:APP --orders 20"),
}
"""For each command, without the name of the program; others have examples in their docstrings."""


def add_examples(name: str, command: click.Command) -> None:
    """Add their examples to a command with this name, and to the commands of a group."""
    if lines := EXAMPLES.get(name):
        shown = [f"  order-sagas {line}" for line in lines]
        command.epilog = "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *shown])
    if isinstance(command, click.Group) and isinstance(command.commands, dict):
        for word, each in command.commands.items():
            add_examples(f"{name} {word}", each)
