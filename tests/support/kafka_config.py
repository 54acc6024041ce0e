"""Configuration of the test broker: a plain listener, and one with TLS and SASL."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_STORE_PASSWORD = "for-tests-only"
KEY_FILES = ("broker.p12", "broker.crt")


class User(NamedTuple):
    """A user of the secure listener, for all mechanisms except OAUTHBEARER."""

    name: str
    password: str


USERS = [User("worker", "worker-secret")]


class Listener(NamedTuple):
    """A listener without TLS whose clients are told another port, such as that of a proxy."""

    name: str
    """The name in capital letters, as in `server.properties`."""
    port: int
    advertised: int


_LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = INFO
"""

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{sasl_port},CONTROLLER://127.0.0.1:{controller_port}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{sasl_port}{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}

# One node has no followers to wait for.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Topics are not created automatically, to detect mistakes; groups start without a delay.
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
# A killed broker may come back once the controller has given it up.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.retention.hours=24
num.io.threads=2
num.network.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=2097152

ssl.keystore.type=PKCS12
ssl.keystore.location={home}/broker.p12
ssl.keystore.password={password}
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.secure.plain.sasl.jaas.config={plain}
listener.name.secure.scram-sha-256.sasl.jaas.config={scram}
listener.name.secure.scram-sha-512.sasl.jaas.config={scram}
listener.name.secure.oauthbearer.sasl.jaas.config={oauth}
"""

_SECURITY = "org.apache.kafka.common.security"


_AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# Whoever comes without a login: the broker itself, and the tests.
super.users=User:ANONYMOUS
"""


def write(
    home: Path,
    data: Path,
    *,
    port: int,
    sasl_port: int,
    controller_port: int,
    listeners: Sequence[Listener] = (),
    principals: Sequence[User] = (),
) -> None:
    """Write `server.properties` and `log4j2.properties` to `home`.

    With `principals`, these can log in too (PLAIN), and ACLs decide what a login may do.
    """
    users = " ".join(f'user_{user.name}="{user.password}"' for user in (*USERS, *principals))
    settings = _SERVER.format(
        home=home,
        data=data,
        listeners="".join(f",{each.name}://127.0.0.1:{each.port}" for each in listeners),
        advertised="".join(f",{each.name}://127.0.0.1:{each.advertised}" for each in listeners),
        protocols="".join(f",{each.name}:PLAINTEXT" for each in listeners),
        port=port,
        sasl_port=sasl_port,
        controller_port=controller_port,
        password=_STORE_PASSWORD,
        plain=f"{_SECURITY}.plain.PlainLoginModule required {users};",
        scram=f"{_SECURITY}.scram.ScramLoginModule required;",
        # Accepts unsigned tokens: for tests only.
        oauth=f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
    )
    (home / "server.properties").write_text(settings + (_AUTHORIZER if principals else ""))
    (home / "log4j2.properties").write_text(_LOG4J)


def scram_credentials() -> list[str]:
    """Return the users as arguments of `StorageTool format --add-scram`."""
    return [
        f"{mechanism}=[name={user.name},password={user.password}]"
        for user in USERS
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    ]


def make_certificate(home: Path) -> None:
    """Make `KEY_FILES` in `home`: the key store, and its certificate as a PEM file."""
    store = [
        "-keystore",
        str(home / "broker.p12"),
        "-storepass",
        _STORE_PASSWORD,
        "-alias",
        "broker",
    ]
    key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650", "-storetype", "PKCS12"]
    name = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"]
    _keytool("-genkeypair", *store, *key, *name)
    _keytool("-exportcert", *store, "-rfc", "-file", str(home / "broker.crt"))


def _keytool(*arguments: str) -> None:
    subprocess.run(["keytool", *arguments], check=True, capture_output=True)
