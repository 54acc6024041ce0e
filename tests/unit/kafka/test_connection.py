"""Where Kafka is and how to log in."""

from pathlib import Path
from typing import Any

import pytest

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import BrokerUnreachableError
from tests.support.ports import free_port


def test_no_secret_is_in_what_a_connection_prints() -> None:
    """Whoever logs a connection does not log how to log in."""
    connection = KafkaConnection(
        bootstrap_servers="kafka:9092",
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        username="worker",
        password="hush-1",
        ssl_key_password="hush-2",
    )

    assert "worker" in repr(connection)
    assert "hush" not in repr(connection) + str(connection)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"bootstrap_servers": " , "}, "No Kafka server"),
        ({"security_protocol": "SASL_SSL"}, "do not go together"),
        ({"sasl_mechanism": "PLAIN"}, "do not go together"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", "username": "me"},
            "needs a user name and a password",
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            "needs a source of tokens",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, Any], reason: str) -> None:
    """At once, rather than by a client that fails to log in for a minute."""
    with pytest.raises(ValueError, match=reason):
        KafkaConnection(**{"bootstrap_servers": "kafka:9092", **wrong})


def test_clients_are_made_with_every_server_and_the_files_of_tls() -> None:
    """Blanks around commas are none of the names."""
    settings = KafkaConnection(
        bootstrap_servers="one:9092, two:9093",
        security_protocol="SSL",
        ssl_ca=Path("/certificates/ca.pem"),
    ).client_settings()

    assert settings["bootstrap_servers"] == ["one:9092", "two:9093"]
    assert settings["ssl_cafile"] == "/certificates/ca.pem"
    assert settings["security_protocol"] == "SSL"


def test_knocking_where_nobody_listens_names_every_server() -> None:
    """So that a mistyped port is seen."""
    one, two = free_port(), free_port()
    connection = KafkaConnection(bootstrap_servers=f"127.0.0.1:{one},127.0.0.1:{two}")

    with pytest.raises(BrokerUnreachableError, match=f"(?s){one}.*{two}"):
        connection.check_reachable()
