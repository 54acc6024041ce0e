"""The number of workers: one for each core by default, at most one for each shard."""

import pytest

from order_sagas.system.settings import Settings, load_settings
from order_sagas.system.supervision.cpu_count import usable_cores, worker_count


@pytest.fixture
def limit(tmp_path):
    """A file with the CPU limit of a container."""
    return tmp_path / "cpu.max"


def test_one_worker_for_each_core_by_default() -> None:
    """At most the number of partitions."""
    assert min(usable_cores(), 8) == worker_count(Settings())
    assert 1 == worker_count(Settings(partitions=1))


@pytest.mark.parametrize(("asked", "partitions", "count"), [(3, 8, 3), (64, 8, 8), (1, 8, 1)])
def test_a_given_number_is_limited_by_the_shards(asked, partitions, count) -> None:
    """A worker without a shard would have nothing to do."""
    assert count == worker_count(Settings(workers=asked, partitions=partitions))


def test_a_database_in_memory_has_one_worker() -> None:
    """Other processes would have a separate database."""
    assert 1 == worker_count(Settings(database="sqlite://", workers=4))


@pytest.mark.parametrize("written", ["100000 100000", "5000 100000"])
def test_a_container_that_may_use_one_core_counts_one(limit, written) -> None:
    """Also on a machine with more cores."""
    limit.write_text(written)

    assert 1 == usable_cores(limit)


@pytest.mark.parametrize("written", ["max 100000", "", "a machine's own"])
def test_without_a_limit_the_cores_count(limit, written) -> None:
    """Also if no such file can be read."""
    limit.write_text(written)

    assert usable_cores(limit.with_name("none")) == usable_cores(limit)


@pytest.mark.parametrize(("written", "workers"), [("auto", None), ("2", 2), (2, 2)])
def test_the_setting_is_a_number_or_auto(written, workers) -> None:
    """As a flag, and in a file."""
    settings, _ = load_settings({"workers": written}, {})

    assert workers == settings.workers
