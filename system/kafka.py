"""What the settings say about Kafka, as the bridges want to hear it."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from bridges.kafka.bridge import KafkaLog
from bridges.kafka.connection import KafkaConnection
from bridges.kafka.outbox_log import OutboxLog
from system.settings import Settings
from system.settings.model import ROLES


def connection_of(settings: Settings) -> KafkaConnection:
    """How to reach and log in to Kafka; raises ValueError where the settings do not fit."""

    def path(text: str) -> Path | None:
        return Path(text) if text else None

    choice: Any = settings
    return KafkaConnection(
        bootstrap_servers=settings.kafka,
        security_protocol=choice.kafka_security_protocol,
        sasl_mechanism=cast(Any, settings.kafka_sasl_mechanism or None),
        username=settings.kafka_username or None,
        password=settings.kafka_password or None,
        ssl_ca=path(settings.kafka_ssl_cafile),
        ssl_certificate=path(settings.kafka_ssl_certfile),
        ssl_key=path(settings.kafka_ssl_keyfile),
        ssl_key_password=settings.kafka_ssl_key_password or None,
        ssl_check_hostname=settings.kafka_ssl_check_hostname,
        oauth_token=token_source(settings),
    )


TOKEN_SECONDS = 20.0
"""How long the command that prints a token may take."""


def token_source(settings: Settings) -> Callable[[], str] | None:
    """Where tokens for OAUTHBEARER come from: asked at each connection, since they expire."""
    if settings.kafka_token_command:
        command = shlex.split(settings.kafka_token_command)

        def print_token() -> str:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, timeout=TOKEN_SECONDS, check=True
            )
            return done.stdout.strip()

        return print_token
    if settings.kafka_token_file:
        file = Path(settings.kafka_token_file)
        return lambda: file.read_text(encoding="utf-8").strip()
    return None


def outbox_log(settings: Settings) -> OutboxLog:
    """Kafka's topics, to write to from outside the system."""
    return OutboxLog(
        settings.database, settings.partitions, connection_of(settings), settings.kafka_group
    )


def group_of(settings: Settings) -> str:
    """The consumer group of this worker's roles: workers of other roles need every record too."""
    if set(settings.roles) == set(ROLES):
        return settings.kafka_group
    return f"{settings.kafka_group}.{'+'.join(role for role in ROLES if role in settings.roles)}"


def kafka_log(settings: Settings) -> KafkaLog:
    """All that the bridge needs to reach its log."""
    return KafkaLog(connection_of(settings), group_of(settings), settings.session_timeout)
