"""`pause` and `unpause`."""

import pytest


def test_a_pause_is_told_by_the_status_until_it_is_over(run, run_json, system):
    """With who, why, and how much is kept."""
    system.start()
    paused = run("pause", "payment", "--why", "the provider is down", "--by", "ada")
    status = run("status").stdout
    (told,) = run_json("status")["paused"]
    ended = run("unpause", "payment", "--by", "bob")

    assert (0, 0) == (paused.exit_code, ended.exit_code)
    assert "by ada (the provider is down), 0 messages kept" in " ".join(status.split())
    assert ("payment", "ada", 0) == (told["name"], told["by"], told["kept"])
    assert [] == run_json("status")["paused"]
    assert [("payments", "ada", "bob")] == [
        *system.log.db.rows("SELECT name, by, ended_by FROM pauses", ())
    ]


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (
            ("pause", "shipping", "--why", "x"),
            2,
            "these can be: orders, payment, stock,",
        ),
        (("pause", "stock"), 2, "needs a reason"),
        (("unpause", "stock"), 1, "stock is not paused"),
    ],
)
def test_what_cannot_be_paused_is_refused(run, system, args, code, problem):
    """With what can be, or what is missing."""
    result = run(*args)

    assert (code, True) == (result.exit_code, problem in result.stderr), result.stderr
