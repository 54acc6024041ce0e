"""Builds and runs the services of `tests/interop/java`: Spring Boot with spring-kafka.

Each is a process of its own, with a ledger: a file with a line for each action.
"""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from tests.support.ports import free_port, is_listening
from tests.support.waiting import wait_until

SOURCES = Path(__file__).parent / "java"
SERVICES = ("order", "payment", "stock", "notification", "shipping")
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-Xss512k")


def why_no_java() -> str:
    """Return what is missing on this machine to build and run the services; empty if nothing is."""
    wanted = {"javac": "a JDK 17 or newer", "mvn": "Maven"}
    missing = [reason for program, reason in wanted.items() if shutil.which(program) is None]
    return f"Not found: {' and '.join(missing)}." if missing else ""


def build(directory: Path) -> Path:
    """Return the jar of all services, built in `directory`.

    Maven gets the libraries from its repositories. Raises RuntimeError with its output if it fails.
    """
    command = [
        "mvn",
        "-q",
        "-B",
        "-f",
        str(SOURCES / "pom.xml"),
        f"-Dtarget={directory}",
        "package",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Maven could not build the services:\n{done.stdout}{done.stderr}")
    return directory / "shop.jar"


class JavaService:
    """One service; its ledger and its consumer group outlive its process."""

    def __init__(self, name: str, jar: Path, directory: Path, servers: str) -> None:
        self.name = name
        self.port = free_port()
        """Where the order service serves REST."""
        self._ledger = directory / f"{name}.ledger"
        self._output = directory / f"{name}.txt"
        self._command = [
            "java", *_QUICK_START, "-jar", str(jar),
            f"--spring.profiles.active={name}", f"--server.port={self.port}",
            f"--spring.kafka.bootstrap-servers={servers}", f"--ledger={self._ledger}",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def wait_until_ready(self) -> None:
        """Wait until the service has started; fails the test with its output if it has ended."""

        def is_ready() -> bool:
            assert self._process
            if self._process.poll() is not None:
                raise AssertionError(f"{self.name} ended: {self._output.read_text()}")
            if self.name == "order":
                return is_listening(self.port)
            return "Started Shop" in self._output.read_text()

        wait_until(is_ready, f"the {self.name} service to run")

    def kill(self) -> None:
        """Kill the process; it can be started again."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def acts(self) -> dict[str, list[str]]:
        """Return what the service did for each order, oldest first."""
        found: dict[str, list[str]] = defaultdict(list)
        if self._ledger.exists():
            for line in self._ledger.read_text().splitlines():
                act, order_id = line.split(" ", 1)
                found[order_id].append(act)
        return found
