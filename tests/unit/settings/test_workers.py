"""How many workers run: one a core, unless somebody says otherwise, and none without a shard."""

import pytest

from system.settings import Settings, load_settings
from system.supervision.cpu_count import usable_cores, worker_count


@pytest.fixture
def limit(tmp_path):
    """A file that says how much CPU there is, as a container has it."""
    return tmp_path / "cpu.max"


def test_one_worker_a_core_by_default() -> None:
    """As many as there are partitions at most."""
    assert min(usable_cores(), 8) == worker_count(Settings())
    assert 1 == worker_count(Settings(partitions=1))


@pytest.mark.parametrize(("asked", "partitions", "count"), [(3, 8, 3), (64, 8, 8), (1, 8, 1)])
def test_so_many_as_somebody_says_and_no_more_than_shards(asked, partitions, count) -> None:
    """A worker without a shard would have nothing to do."""
    assert count == worker_count(Settings(workers=asked, partitions=partitions))


def test_a_database_in_memory_is_one_workers_alone() -> None:
    """Others would have one of their own."""
    assert 1 == worker_count(Settings(database="sqlite://", workers=4))


@pytest.mark.parametrize("written", ["100000 100000", "5000 100000"])
def test_a_container_that_may_use_one_core_counts_one(limit, written) -> None:
    """However many the machine has."""
    limit.write_text(written)

    assert 1 == usable_cores(limit)


@pytest.mark.parametrize("written", ["max 100000", "", "a machine's own"])
def test_without_a_limit_the_cores_count(limit, written) -> None:
    """So it is where no such file can be read."""
    limit.write_text(written)

    assert usable_cores(limit.with_name("none")) == usable_cores(limit)


@pytest.mark.parametrize(("written", "workers"), [("auto", None), ("2", 2), (2, 2)])
def test_the_setting_is_a_number_or_auto(written, workers) -> None:
    """As a flag, and in a file."""
    settings, _ = load_settings({"workers": written}, {})

    assert workers == settings.workers
