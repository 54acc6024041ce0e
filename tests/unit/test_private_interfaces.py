"""The installed libraries have the private attributes that this code uses.

A library may change what is not public in any release. `make canary` runs this file, and the tests
of the Kafka client, with the newest kafka-python and uvicorn.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import attrs
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.cluster import ClusterMetadata
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.net.selector import NetworkSelector
from kafka.producer.producer_batch import FinalState, ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import TransactionManager
from kafka.record import util as checksums
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder
from thespian.actors import Actor, ActorAddress
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.support.attributes import attributes_of, own_attributes, self_attributes

ROOT = Path(__file__).parents[2]
LAYERS = ("actors", "bridges", "system")
LIBRARIES = {"kafka": "kafka-python", "uvicorn": "uvicorn", "thespian": "thespian"}
"""The import packages that are used from the inside, and the distributions they come from."""


@attrs.frozen
class Use:
    """A private attribute of a library's class, or one that its documentation does not promise."""

    owner: type
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.owner.__name__} {' '.join(self.names)}"


USES = (
    # The consumer: whether Kafka answers, and joins of the group that it forgets.
    Use(KafkaConsumer, ("_coordinator", "_net", "_fetcher", "_cluster")),
    Use(ClusterMetadata, ("partitions_for_topic", "topic_id", "unauthorized_topics")),
    # The producer: whether Kafka answers.
    Use(KafkaProducer, ("_metadata",)),
    Use(ClusterMetadata, ("add_listener",)),
    Use(
        ConsumerCoordinator,
        ("coordinator_unknown", "rejoining", "need_rejoin", "request_rejoin"),
    ),
    Use(NetworkSelector, ("sleep",)),
    # Whole batches that are read.
    Use(Fetcher, ("PartitionRecords",)),
    Use(
        Fetcher.PartitionRecords,
        ("_unpack_records", "_consume_aborted_transactions_up_to", "_contains_abort_marker"),
    ),
    Use(DefaultRecordBatch, ("_buffer", "_pos", "_maybe_uncompress")),
    # Whole batches that are written.
    Use(KafkaProducer, ("_accumulator", "_sender", "_transaction_manager")),
    Use(
        RecordAccumulator,
        ("_appends_in_progress", "_batches", "_closed", "_incomplete", "_tp_lock"),
    ),
    Use(Sender, ("wakeup",)),
    Use(TransactionManager, ("has_fatal_error",)),
    Use(ProducerBatch, ("produce_future", "final_state", "_record_futures")),
    Use(MemoryRecordsBuilder, ("_builder", "_next_offset")),
    Use(
        DefaultRecordBatchBuilder,
        ("_buffer", "_num_records", "_last_offset", "_first_timestamp", "_max_timestamp"),
    ),
    # The runtime: Thespian's Actor sends through the reference that a system base sets.
    Use(ActorAddress, ("_aaddr",)),
)

OURS_OR_PUBLIC = {
    "_exit",  # os._exit, documented
    "_replace",  # of named tuples, documented
    "_handleDeadLetters",  # of our own system base; the name is Thespian's
    "_myRef",  # of Thespian's actors, set by its system bases: see the test below
}
"""Names with an underscore that are used on other objects, and are no insides of a library."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the layers."""
    for layer in LAYERS:
        for file in sorted((ROOT / layer).rglob("*.py")):
            yield file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8"))


def reached_into(tree: ast.Module) -> set[str]:
    """The private attributes that a module uses on anything but `self`, `cls` and `super()`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    }


def derived_from_libraries() -> Iterator[type]:
    """Our classes that inherit from a class of kafka-python or uvicorn."""
    for file, tree in sources():
        named = {name.split(".")[0] for name in imported(tree)}
        if not named & {"kafka", "uvicorn"}:
            continue
        module = importlib.import_module(".".join(("order_sagas", *file.with_suffix("").parts)))
        for value in vars(module).values():
            if not inspect.isclass(value) or value.__module__ != module.__name__:
                continue
            if any(library_of(base) in ("kafka", "uvicorn") for base in value.__mro__):
                yield value


def imported(tree: ast.Module) -> Iterator[str]:
    """The names of the modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def library_of(owner: type) -> str:
    """The import package at the top of the module that defines a class."""
    return owner.__module__.split(".")[0]


def name_and_version(library: str) -> str:
    """For people."""
    name = LIBRARIES[library]
    return f"{name} {version(name)}"


@pytest.mark.parametrize("use", USES, ids=str)
def test_a_library_has_the_private_attributes_that_are_used(use: Use) -> None:
    """The message says which library, which version and which name."""
    library = library_of(use.owner)
    missing = sorted(set(use.names) - attributes_of(use.owner))

    assert not missing, (
        f"{name_and_version(library)}: {use.owner.__name__} has no {', '.join(missing)}; "
        f"grep for it in {', '.join(LAYERS)}"
    )


def test_a_producer_batch_can_be_aborted_and_checksums_can_be_fast() -> None:
    """Two names of modules and enums, which are no attributes of classes."""
    assert "ABORTED" in FinalState.__dict__, f"{name_and_version('kafka')}: FinalState has changed"
    assert hasattr(checksums, "crc32c_c"), f"{name_and_version('kafka')}: no kafka.record.util"


def test_an_actor_takes_the_reference_that_the_runtime_sets() -> None:
    """`_myRef` is how every method of Thespian's Actor finds its system base."""
    uses = {node.attr for node in self_attributes(ast.parse(inspect.getsource(Actor)))}

    assert "_myRef" in uses, f"{name_and_version('thespian')}: Actor does not use _myRef"


@pytest.mark.parametrize("derived", [*derived_from_libraries()], ids=lambda it: it.__name__)
def test_a_library_has_what_a_class_inherits_from_it(derived: type) -> None:
    """Every `self.x` that no class of ours defines comes from a class of the library."""
    theirs = [base for base in derived.__mro__[1:-1] if library_of(base) != "order_sagas"]
    ours = [base for base in derived.__mro__ if library_of(base) == "order_sagas"]
    tree = ast.parse(textwrap.dedent(inspect.getsource(derived)))
    used = {node.attr for node in self_attributes(tree)}
    provided = frozenset[str]().union(*map(own_attributes, ours), *map(attributes_of, theirs))
    library = next(library_of(base) for base in theirs if library_of(base) in LIBRARIES)

    assert not used - provided, (
        f"{name_and_version(library)}: {theirs[0].__name__} does not provide "
        f"{', '.join(sorted(used - provided))}, which {derived.__name__} uses"
    )


@pytest.mark.parametrize(
    "method",
    [
        *("connection_made", "connection_lost", "data_received", "pause_writing"),
        *("resume_writing", "on_message_begin", "on_headers_complete", "on_message_complete"),
        "send_400_response",
        "on_header",
        "on_body",
    ],
)
def test_uvicorn_calls_the_methods_that_limit_a_connection(method: str) -> None:
    """A limit in a method that nobody calls any more is no limit."""
    assert method in attributes_of(HttpToolsProtocol), (
        f"{name_and_version('uvicorn')}: HttpToolsProtocol has no {method}"
    )


def test_every_private_attribute_that_is_used_is_in_the_table() -> None:
    """A new one has to be added to USES, so that the canary looks after it too."""
    listed = {name for use in USES for name in use.names} | OURS_OR_PUBLIC
    unlisted = {
        f"{file}: {', '.join(sorted(names))}"
        for file, tree in sources()
        if (names := reached_into(tree) - listed)
    }

    assert set() == unlisted
