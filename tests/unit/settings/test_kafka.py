"""The conversion of Kafka settings for the bridges."""

import attrs
import pytest

from order_sagas.system.kafka_settings import connection_of, token_source
from order_sagas.system.roles import group_of
from order_sagas.system.settings import Settings

BY_TOKEN = Settings(
    kafka="kafka:9092", kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER"
)


def test_a_token_is_read_from_its_file_at_each_connection(tmp_path):
    """Tokens expire: a new one is used without a restart."""
    file = tmp_path / "token"
    tokens = token_source(attrs.evolve(BY_TOKEN, kafka_token_file=str(file)))
    assert tokens is not None
    found = []
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        found.append(tokens())

    assert ["first", "second"] == found


def test_a_token_can_come_from_a_command(tmp_path):
    """Run at each connection, with its arguments quoted as in a shell."""
    file = tmp_path / "the token"
    file.write_text("from a command\n")
    settings = attrs.evolve(BY_TOKEN, kafka_token_command=f"cat '{file}'")

    tokens = connection_of(settings).oauth_token
    assert tokens is not None
    assert "from a command" == tokens()


def test_the_key_of_a_certificate_may_have_a_password_and_names_need_not_fit():
    """Both reach the client."""
    settings = Settings(
        kafka="kafka:9092",
        kafka_security_protocol="SSL",
        kafka_ssl_key_password="hush",
        kafka_ssl_check_hostname=False,
    )
    client = connection_of(settings).client_settings()

    assert ("hush", False) == (client["ssl_password"], client["ssl_check_hostname"])


@pytest.mark.parametrize(
    ("roles", "group"),
    [
        (("orchestrator", "orders", "payment", "stock", "notification"), "order-sagas"),
        (("stock", "payment"), "order-sagas.payment+stock"),
        (("payment", "stock"), "order-sagas.payment+stock"),
    ],
)
def test_each_set_of_roles_is_a_consumer_group_of_its_own(roles, group):
    """In any order of their names: workers of other roles need every record too."""
    assert group == group_of(Settings(kafka="kafka:9092", roles=roles))
