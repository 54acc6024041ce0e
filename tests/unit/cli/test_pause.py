"""`pause` and `unpause`."""

import pytest

from order_sagas.actors.participants import NOTIFICATIONS


def test_status_shows_a_pause_until_it_ends(run, run_json, system):
    """With operator, reason, and number of deferred messages."""
    system.start()
    paused = run("pause", "payments", "--why", "the provider is down", "--by", "ada")
    status = run("status").stdout
    (told,) = run_json("status")["paused"]
    ended = run("unpause", "payments", "--by", "bob")

    assert (0, 0) == (paused.exit_code, ended.exit_code)
    assert "by ada (the provider is down), 0 messages kept" in " ".join(status.split())
    assert ("payments", "ada", 0) == (told["name"], told["by"], told["kept"])
    assert [] == run_json("status")["paused"]
    assert [("payments", "ada", "bob")] == [
        *system.log.db.rows("SELECT name, by, ended_by FROM pauses", ())
    ]


def test_a_service_has_one_name_everywhere(run, run_json, system):
    """That of the definitions and of the HTTP API; the name of its role is understood."""
    system.start()
    paused = run("pause", "notification", "--why", "no mails now")
    (pause,) = run_json("status")["paused"]
    (action,) = run_json("actions", "list")
    run("unpause", "notification")

    assert "Paused notifications. To end it: order-sagas unpause notifications" in paused.stdout
    assert "notifications" == NOTIFICATIONS.name == pause["name"] == action["target"]
    assert "notifications" in {to for row in run_json("messages") for to in row["receivers"]}
    assert [] == run_json("status")["paused"]


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (
            ("pause", "shipping", "--why", "x"),
            2,
            "these can be: orders, payments, stock, notifications, intake",
        ),
        (("pause", "stock"), 2, "needs a reason"),
        (("unpause", "stock"), 1, "stock is not paused"),
    ],
)
def test_an_invalid_pause_is_refused(run, system, args, code, problem):
    """The error names what can be paused, or what is missing."""
    result = run(*args)

    assert (code, True) == (result.exit_code, problem in result.stderr), result.stderr
