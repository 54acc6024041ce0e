"""A seed replays the same run, byte for byte."""

import os
import subprocess
import sys

import pytest

from order_sagas.system.harness.campaign import campaign, run_seed

SEEDS = range(6)
PRINT_DIGESTS = f"""
from order_sagas.system.harness.campaign import run_seed
for seed in {list(SEEDS)}:
    print(run_seed(seed, 20, "heavy").digest)
"""


def digests(hash_seed: str) -> list[str]:
    """The digests of the logs of some seeds, in a process with this PYTHONHASHSEED."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRINT_DIGESTS],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_the_same_seed_gives_the_same_log_in_another_process():
    """Byte for byte, although Python's sets have another order there."""
    here = [run_seed(seed, 20, "heavy").digest for seed in SEEDS]

    assert here == digests("1")
    assert here == digests("2")


def test_other_seeds_give_other_logs():
    """Without it, a constant digest would pass the test above."""
    assert len(SEEDS) == len({run_seed(seed, 20, "heavy").digest for seed in SEEDS})


@pytest.mark.processes
def test_several_processes_give_the_results_of_one():
    """In the order of the seeds."""
    alone = [outcome.digest for outcome in campaign(range(12), 5, "light", jobs=1)]

    assert alone == [outcome.digest for outcome in campaign(range(12), 5, "light", jobs=2)]
