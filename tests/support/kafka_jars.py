"""Downloads the jars of Apache Kafka with Maven."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.locks import locked

KAFKA = "4.3.1"
CACHE = Path(os.environ.get("KAFKA_JARS", Path(__file__).parents[2] / ".kafka" / "jars"))

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>broker</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.4</version>
    </dependency>
  </dependencies>
</project>
"""


def why_no_broker() -> str:
    """Return what is missing on this machine to run a broker; empty if nothing is."""
    wanted = {"java": "a Java 17 or newer", "mvn": "Maven, which brings Kafka's jars"}
    missing = [reason for program, reason in wanted.items() if shutil.which(program) is None]
    return f"Not found: {' and '.join(missing)}." if missing else ""


def jars() -> Path:
    """Return the directory with the broker's jars, which the first call downloads.

    Raises RuntimeError with Maven's output if the download fails.
    """
    directory = CACHE / KAFKA
    with locked(CACHE / "lock"):
        if not directory.exists():
            _download(directory)
    return directory


def _download(directory: Path) -> None:
    arriving = directory.with_suffix(".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    (arriving / "pom.xml").write_text(_POM)
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."]
    done = subprocess.run(command, cwd=arriving, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Maven could not get Kafka {KAFKA}:\n{done.stdout}{done.stderr}")
    arriving.rename(directory)


def tools_jar() -> Path:
    """Return the jar with Kafka's command line tools, which the first call downloads.

    It needs those of `jars`. Raises RuntimeError with Maven's output if the download fails.
    """
    jar = CACHE / f"kafka-tools-{KAFKA}.jar"
    with locked(CACHE / "lock"):
        if not jar.exists():
            artifact = f"-Dartifact=org.apache.kafka:kafka-tools:{KAFKA}"
            target = f"-DoutputDirectory={CACHE}"
            command = ["mvn", "-q", "-B", "dependency:copy", artifact, target]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(
                    f"Maven could not get Kafka's tools:\n{done.stdout}{done.stderr}"
                )
    return jar
