"""TLS and every login mechanism, against a broker that requires both."""

import base64
import json
import time

import attrs
import pytest

from order_sagas.bridges.kafka import (
    BrokerUnreachableError,
    KafkaConnection,
    LoginMechanism,
    TopicWriter,
    create_topics,
)
from order_sagas.bridges.records.record import Outgoing
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_config import USERS

pytestmark = pytest.mark.kafka

(USER,) = USERS


def unsigned_token() -> str:
    """A token that only a test broker accepts."""

    def encoded(part: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    now = time.time()
    claims = {"sub": USER.name, "iat": now, "exp": now + 3600}
    return f"{encoded({'alg': 'none'})}.{encoded(claims)}."


@pytest.fixture
def plain_login(local_kafka: KafkaBroker) -> KafkaConnection:
    """A connection with TLS that logs in by name and password."""
    return KafkaConnection(
        bootstrap_servers=local_kafka.secure_bootstrap_servers,
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        username=USER.name,
        password=USER.password,
        ssl_ca=local_kafka.certificate,
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_records_are_written_after_logging_in(
    plain_login: KafkaConnection, mechanism: LoginMechanism, unique: str
) -> None:
    """With every supported mechanism, over TLS."""
    connection = attrs.evolve(plain_login, sasl_mechanism=mechanism, oauth_token=unsigned_token)
    create_topics(connection, [unique], partitions=1)
    writer = TopicWriter(connection)
    writer.start([unique])
    writer.publish([Outgoing(unique, 0, b"k", b"v")]).wait(20)
    writer.close()


def test_a_wrong_password_is_refused_and_not_shown(plain_login: KafkaConnection) -> None:
    """The error does not contain it."""
    wrong = attrs.evolve(plain_login, password="not-the-password", connect_timeout=2.0)

    with pytest.raises(BrokerUnreachableError, match="the password") as refused:
        create_topics(wrong, ["unused"], partitions=1)
    assert "not-the-password" not in str(refused.value)


def test_an_untrusted_broker_is_refused(plain_login: KafkaConnection) -> None:
    """Its certificate is not signed by an authority that this machine trusts."""
    untrusting = attrs.evolve(plain_login, ssl_ca=None, connect_timeout=2.0)

    with pytest.raises(BrokerUnreachableError, match="certificates"):
        create_topics(untrusting, ["unused"], partitions=1)
