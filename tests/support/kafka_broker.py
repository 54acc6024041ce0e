"""A real Kafka broker: one node, KRaft, no Docker.

`make kafka` and `make kafka-stop` run `python -m tests.support.kafka_broker run|start|stop
[--port 9092]`. Tests use the fixtures in `tests.support.kafka_fixtures`.
"""

import argparse
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4
from zlib import crc32

import attrs
import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency

from tests.support import kafka_config
from tests.support.kafka_jars import CACHE, KAFKA, jars, why_no_broker
from tests.support.locks import locked
from tests.support.ports import free_port
from tests.support.processes import is_alive, wait_until_gone

_JVM = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC")
QUICK_START = (*_JVM, "-XX:TieredStopAtLevel=1")
"""JVM options for short-lived brokers: start-up takes half the time, serving more."""

_STARTED = b"Kafka Server started"


@attrs.define
class KafkaBroker:
    """A broker with its data in `home`. Its address stays the same over restarts.

    Any process can create an object for the same `home`, and stop or restart the broker: the
    running process is found by its pid file.
    """

    home: Path
    port: int = attrs.field(factory=free_port)
    sasl_port: int = attrs.field(factory=free_port)
    """Address of the listener with TLS and SASL, for `kafka_config.USERS`."""
    controller_port: int = attrs.field(factory=free_port)
    jvm_options: tuple[str, ...] = _JVM
    principals: tuple[kafka_config.User, ...] = ()
    """Users with a login of their own. If there are some, ACLs decide what a login may do."""
    listeners: tuple[kafka_config.Listener, ...] = ()
    """More listeners, for clients that connect through proxies."""
    data: Path = attrs.field(default=attrs.Factory(lambda broker: broker.home / "data", True))
    """The directory of the topics."""

    @property
    def bootstrap_servers(self) -> str:
        """Address of the listener without TLS and authentication."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_bootstrap_servers(self) -> str:
        """Address of the listener with TLS and SASL."""
        return f"127.0.0.1:{self.sasl_port}"

    @property
    def certificate(self) -> Path:
        """The PEM file with the certificate of this broker."""
        return self.home / "broker.crt"

    @property
    def log(self) -> Path:
        """The log of the broker."""
        return self.home / "broker.log"

    def start(self, timeout: float = 60) -> None:
        """Start with the existing data, and return when clients are served.

        Raises `RuntimeError` with the end of the log when the broker dies or takes longer than
        `timeout` seconds.
        """
        if self.is_running():
            return
        if not (self.data / "meta.properties").exists():
            self._prepare()
        read_from = self.log.stat().st_size if self.log.exists() else 0
        process = self._spawn()
        deadline = time.monotonic() + timeout
        while _STARTED not in self.log.read_bytes()[read_from:]:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"The broker did not start:\n{self._end_of_log()}")
            time.sleep(0.05)

    def stop(self, timeout: float = 30) -> None:
        """Stop it in good order; kill it after `timeout` seconds."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """Kill it, like a power failure: nothing is flushed."""
        self._end(signal.SIGKILL, 10)

    def restart(self) -> None:
        """Stop and start with the same data, at the same address."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process inside the context: it is connected to, and answers nothing."""
        process = self._process()
        assert process
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def is_running(self) -> bool:
        """Return True if the process runs; it may still be starting."""
        return self._process() is not None

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the broker since its start."""
        process = self._process()
        if process is None:
            return 0.0
        times = process.cpu_times()
        return float(times.user + times.system)

    def _process(self) -> psutil.Process | None:
        try:
            pid, created = (self.home / "pid").read_text().split()
            process = psutil.Process(int(pid))
            same = process.create_time() == float(created)
            return process if same and is_alive(process) else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def _end(self, how: signal.Signals, timeout: float) -> None:
        process = self._process()
        if process is None:
            return
        process.send_signal(how)
        if not wait_until_gone(process, timeout):
            process.kill()
            wait_until_gone(process, 10)

    def _java(self, main: str, *arguments: str) -> list[str]:
        options = [*self.jvm_options, f"-Dlog4j2.configurationFile={self.home}/log4j2.properties"]
        return ["java", *options, "-cp", f"{jars()}/*", main, *arguments]

    def _prepare(self) -> None:
        self._configure()
        prepared = _prepared()
        shutil.copytree(prepared.data, self.data, dirs_exist_ok=True)
        properties = self.data / "meta.properties"
        cluster = f"cluster.id={uuid4()}"
        properties.write_text(re.sub("cluster[.]id=.*", cluster, properties.read_text()))
        for name in kafka_config.KEY_FILES:
            shutil.copy(prepared.home / name, self.home / name)

    def _configure(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        kafka_config.write(
            self.home,
            self.data,
            port=self.port,
            sasl_port=self.sasl_port,
            controller_port=self.controller_port,
            principals=self.principals,
            listeners=self.listeners,
        )

    def _format(self) -> None:
        self._configure()
        kafka_config.make_certificate(self.home)
        settings = f"--config={self.home}/server.properties"
        scram = [f"--add-scram={credential}" for credential in kafka_config.scram_credentials()]
        command = self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={uuid4()}", settings, *scram
        )
        with self.log.open("ab") as log:
            code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        if code != 0:
            raise RuntimeError(f"The broker's storage was not formatted:\n{self._end_of_log()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = self._java("kafka.Kafka", str(self.home / "server.properties"))
        with self.log.open("ab") as log:
            # A separate session, so that Ctrl-C in the terminal does not stop the broker.
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        created = psutil.Process(process.pid).create_time()
        (self.home / "pid").write_text(f"{process.pid} {created}")
        return process

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def _prepared() -> KafkaBroker:
    """Return a broker that never runs, and whose storage and keys are copied for the others. Making
    them takes three Java processes, and as long as a start.
    """
    users = crc32(repr(kafka_config.USERS).encode())
    home = CACHE / f"prepared-{KAFKA}-{users:08x}"
    with locked(CACHE / "prepared.lock"):
        if not home.exists():
            arriving = KafkaBroker(CACHE / "prepared.arriving")
            shutil.rmtree(arriving.home, ignore_errors=True)
            arriving._format()
            arriving.home.rename(home)
    return KafkaBroker(home)


def main() -> None:
    """Run, start or stop a broker that keeps its data in `.kafka/broker-PORT`."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.kafka_broker")
    parser.add_argument("command", choices=["run", "start", "stop"])
    parser.add_argument("--port", type=int, default=9092)
    options = parser.parse_args()
    home = Path(__file__).parents[2] / ".kafka" / f"broker-{options.port}"
    broker = KafkaBroker(
        home,
        port=options.port,
        sasl_port=options.port + 1,
        controller_port=options.port + 2,
    )
    if options.command == "stop":
        broker.stop()
        return
    if missing := why_no_broker():
        raise SystemExit(missing)
    broker.start()
    print(f"Kafka listens on {broker.bootstrap_servers}; its data and log are in {home}.")
    if options.command == "run":
        _wait_for_end(broker)


def _wait_for_end(broker: KafkaBroker) -> None:
    print("Press Ctrl-C to stop it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while broker.is_running():
            time.sleep(0.5)
    except KeyboardInterrupt:
        broker.stop()


if __name__ == "__main__":
    main()
