"""Runs console lines that call `kafka-acls`, with the tool of Apache Kafka."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.kafka_jars import jars, tools_jar

_NOTE = '#!/bin/sh\n(IFS="\t"; printf "%s\\n" "$*") >> "$KAFKA_ACLS"\n'
"""A script `kafka-acls` that stores its arguments, because each JVM takes seconds to start."""


def run_acl_lines(lines: Sequence[str], directory: Path) -> str:
    """Run shell lines; return the output of `kafka-acls`.

    All calls are run at the end, by one JVM. Raises RuntimeError with the output if one fails.
    """
    directory.mkdir()
    script, calls = directory / "kafka-acls", directory / "calls"
    script.write_text(_NOTE)
    script.chmod(0o755)
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KAFKA_ACLS": str(calls)}
    subprocess.run(["bash", "-e", "-c", "\n".join(lines)], cwd=directory, env=env, check=True)
    (directory / "admin.properties").write_text("security.protocol=PLAINTEXT\n")
    tool = Path(__file__).with_name("KafkaAcls.java")
    classes = os.pathsep.join([f"{jars()}/*", str(tools_jar())])
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, str(tool), str(calls)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kafka-acls failed:\n{done.stdout}{done.stderr}")
    return done.stdout
