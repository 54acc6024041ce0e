"""`prune`: its output, what it keeps, and other commands on pruned orders."""

import json

import pytest

from order_sagas.system.cli.public_json import public
from tests.support.embedded import an_order


@pytest.fixture
def books(system):
    """Two orders that ended long ago."""
    system.start()
    system.load({"PEN": 3})
    system.put(an_order("done"), an_order("sold-out"))
    return system


def test_a_dry_run_lists_orders_and_deletes_nothing(books, run, run_json, tmp_path) -> None:
    """And creates no archive."""
    said = run("prune", "--older-than", "30d", "--dry-run", "--archive", tmp_path / "a")

    assert (0, "2 orders ") == (said.exit_code, said.stdout[:9])
    assert "would be deleted" in said.stdout
    assert 2 == len(run_json("orders"))
    assert not (tmp_path / "a").exists()


def test_an_order_is_archived_before_it_is_deleted(books, run, run_json, tmp_path) -> None:
    """A line of JSON an order: what the services kept of it, and its saga with its history."""
    shown = run_json("show", "done")
    said = run_json("prune", "--older-than", "30d", "--archive", tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    done = next(line for line in lines if line["order_id"] == "done")

    assert (2, False) == (said["orders"], said["dryRun"])
    assert ["done", "sold-out"] == sorted(line["order_id"] for line in lines)
    assert (shown["order"], shown["payment"]) == (public(done["order"]), public(done["payment"]))
    (saga,) = done["sagas"]
    assert shown["sagas"][0]["history"] == public(saga["history"])
    assert "process payment" in [step["step"] for step in saga["steps"]]


def test_a_pruned_order_is_shown_as_pruned(books, run, run_json) -> None:
    """Its final status is known; it is in no list, and the audit finds no violation."""
    run("prune", "--older-than", "30d")
    shown = run("show", "sold-out")

    assert 0 == shown.exit_code
    assert "CANCELLED, out_of_stock" in shown.stdout
    assert "It was pruned at" in shown.stdout
    assert "CANCELLED" == run_json("show", "sold-out")["pruned"]["status"]
    assert ([], []) == (run_json("orders"), run_json("sagas"))
    assert 0 == run("audit", "--ended").exit_code
    assert 2 == run_json("stock", "show")[0]["sold"]


def test_submitting_a_pruned_order_again_reports_its_outcome(
    books, run, run_json, tmp_path
) -> None:
    """It is a duplicate, and is not handled again."""
    line = {
        "orderId": "again", "customerId": "c", "currency": "EUR",
        "lines": [{"sku": "PEN", "quantity": 1, "unitPrice": 1}],
    }  # fmt: skip
    file = tmp_path / "orders.jsonl"
    file.write_text(json.dumps(line))
    run("submit", file)
    books.run()
    run("prune", "--older-than", "30d")
    said = run_json("submit", file, "--wait")

    assert (0, 1) == (said["accepted"], said["alreadyThere"])
    assert [("COMPLETED", 1)] == [(each["status"], each["orders"]) for each in said["outcomes"]]


@pytest.mark.parametrize("written", ["", "soon", "-1d", "30 days", "90", "9 "])
def test_an_invalid_duration_is_refused(books, run, written) -> None:
    """Nothing is deleted by mistake."""
    said = run("prune", "--older-than", written)

    assert 2 == said.exit_code
    assert "--older-than" in said.stderr


def test_an_archive_that_cannot_be_written_keeps_everything(books, run, run_json, tmp_path) -> None:
    """It is opened first."""
    said = run("prune", "--older-than", "30d", "--archive", tmp_path / "nowhere" / "a.jsonl")

    assert 1 == said.exit_code
    assert 2 == len(run_json("orders"))
