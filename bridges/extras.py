"""Optional parts of the distribution: is one installed, and the command that installs it."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bridges.errors import BridgeError

DISTRIBUTION = "order-sagas"

MODULES = {
    "postgres": ("psycopg",),
    "http": ("starlette", "uvicorn", "httptools", "uvloop", "prometheus_client"),
    "metrics": ("prometheus_client",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
}
"""What is imported of each extra of setup.cfg. Extras that only tests load are not here."""
LOADED = frozenset({"postgres"})
"""Extras that have to be loaded to know: psycopg can be there without the libpq that it needs."""

USES = {
    "postgres": "PostgreSQL",
    "http": "HTTP",
    "metrics": "serving metrics",
    "otel": "exporting traces",
}


class MissingExtraError(BridgeError, ImportError):
    """Something was asked for that needs an optional part; says in one line how to install it."""


def need(extra: str) -> None:
    """Raise MissingExtraError unless every module of the extra is installed.

    Imports the packages around them only, and those of LOADED.
    """
    is_there = _can_be_loaded if extra in LOADED else _is_installed
    missing = [name for name in MODULES[extra] if not is_there(name)]
    if missing:
        raise MissingExtraError(
            f"{USES[extra]} needs {', '.join(missing)}: {install_command(extra)}"
        )


def install_command(extra: str) -> str:
    """The command that adds the extra to this installation; it can be pasted into a shell as it is.

    order-sagas is on no package index, so that `pip install order-sagas[...]` finds nothing. What
    was installed from a folder, an archive or a repository is installed from there again, with the
    extra. Where that is not known or is gone, the packages of the extra are installed by name.
    """
    wanted = _from_origin(extra) or _requirements(extra)
    return shlex.join([_python(), "-m", "pip", "install", *wanted])


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package around it
        return False


def _can_be_loaded(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def _python() -> str:
    """This interpreter, as short as it can be written here."""
    path = Path(sys.executable)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _from_origin(extra: str) -> list[str]:
    """Where this was installed from, as arguments of pip; empty if that is not known."""
    for found in metadata.distributions(name=DISTRIBUTION):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        url = origin.get("url", "")
        if urlsplit(url).scheme != "file":
            if url:
                return [f"{DISTRIBUTION}[{extra}] @ {_with_revision(url, origin)}"]
            continue
        place = Path(url2pathname(urlsplit(url).path))
        if not place.exists():
            continue
        if origin.get("dir_info", {}).get("editable"):
            return ["-e", f"{'.' if place == Path.cwd() else place}[{extra}]"]
        return [f"{DISTRIBUTION}[{extra}] @ {url}"]
    return []


def _with_revision(url: str, origin: dict[str, Any]) -> str:
    """A URL as pip takes it: that of a repository names its kind and the commit."""
    vcs = origin.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url


def _requirements(extra: str) -> list[str]:
    """The packages of the extra by the installed metadata; its modules where there is none."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        required = []
    return list(_of_extra(required, extra)) or [name.replace("_", "-") for name in MODULES[extra]]


_REQUIREMENT = re.compile(r"""(?P<package>[^;]+?)\s*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")


def _of_extra(required: list[str], extra: str) -> Iterator[str]:
    for each in required:
        found = _REQUIREMENT.match(each)
        if found and found["extra"] == extra:
            yield found["package"]
