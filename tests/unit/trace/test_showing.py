"""A timeline as text, JSON and diagram, and the command that prints them."""

import io
import json
import os
import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner
from rich.console import Console

from order_sagas.system.cli.trace import trace_command
from order_sagas.system.trace import Timeline, render_mermaid, render_text, timeline_fields
from order_sagas.system.trace.phrases import duration
from tests.support.cli import COMMAND, environment
from tests.unit.trace.lines import COMPENSATED, PAID, STARTED, line


def shown(*lines, width=170):
    out = io.StringIO()
    console = Console(file=out, width=width)
    render_text(Timeline.from_lines("o-1", lines), console)
    return [" ".join(row.split()) for row in out.getvalue().splitlines()]


def test_the_text_has_all_transitions_in_order():
    """With offset, step, event, attempt, follow-up and cause."""
    rows = shown(*COMPENSATED)

    assert rows[0].startswith("Order o-1 place-order v1 cancelled after 12.7 s")
    assert "started 2025-11-24 14:25:03.120 UTC · saga place-order/o-1" == rows[1]
    assert [
        "+0.000s ▶ started → process payment ⟵ event-1",
        "+0.040s ✔ process payment done in 40 ms → reserve stock ⟵ event-2",
        "+10.040s ◷ reserve stock no answer after 10 s, again in 500 ms (attempt 1) "
        "⟵ timer:reserve stock:1",
        "+10.540s ↻ reserve stock sent again (attempt 2) ⟵ timer:reserve stock:1",
        "+10.600s · process payment ignored PAYMENT_COMPLETED: stale attempt 1 ⟵ event-late",
        "+10.700s ✘ reserve stock failed in 160 ms: OUT_OF_STOCK, SKU-9: 4 wanted; 3 there "
        "(attempt 2) → to undo: process payment ⟵ event-5",
        "+12.700s ↩ process payment undone in 2 s ⟵ event-6",
        "+12.700s ■ cancelled after 12.7 s: OUT_OF_STOCK, SKU-9: 4 wanted; 3 there ⟵ event-7",
    ] == rows[3:11]
    assert re.fullmatch(r"reserve stock ━+·+ 10\.66 s failed 2 attempts", rows[13])
    assert re.fullmatch(r"undo process payment ·+━+ 2 s undone", rows[14])


def test_a_narrow_terminal_loses_nothing():
    """Lines are folded, and causes are still there."""
    text = " ".join(shown(*COMPENSATED, width=60))

    assert all(cause in text for cause in ("⟵ event-2", "⟵ event-late", "⟵ event-7"))


def test_a_child_is_shown_with_its_own_order() -> None:
    """The order of the parent is another one."""
    child = line("started", 1, saga_id="insure/o-2", order_id="o-2", version=1, sent=["sign"])

    assert any(row.startswith("Order o-2 ") for row in shown(STARTED, child))


@pytest.mark.parametrize(
    ("transition", "words"),
    [
        (line("waiting", 3, step="think", wait=2.0), "think waits for 2 s ⟵"),
        (line("waiting", 3, step="approval", within=60.0), "approval waits for 1 min at most"),
        (
            {**line("", 3, status="APPROVED", reason="not started"), "event": "reply.kept"},
            "kept APPROVED: not started",
        ),
    ],
)
def test_waits_and_kept_replies_are_told_in_words(transition, words: str) -> None:
    """A delay takes as long as it says, a wait at most."""
    rows = shown(STARTED, transition)

    assert any(words in row for row in rows), rows


def test_an_operator_is_named_with_action_and_reason():
    """With operator, action and reason."""
    acted = line("operator", 3, step="reserve stock", action="skip", by="ann", why="sent by hand")

    assert any("operator: skip by ann (sent by hand)" in row for row in shown(STARTED, PAID, acted))


def test_an_unknown_event_is_shown_with_all_its_fields():
    """So that an older program can show a newer log."""
    rows = shown(STARTED, line("step_praised", 2, step="process payment", stars=5))

    assert any("process payment saga.step_praised stars=5" in row for row in rows)


def test_an_unknown_key_is_shown_too():
    """Nothing that was logged is hidden."""
    rows = shown(STARTED, {**PAID, "provider": "acme"})

    assert any("done in 40 ms provider=acme" in row for row in rows)


def test_markup_in_a_reason_is_only_text():
    """Square brackets are not interpreted as styles."""
    assert any(
        "[red]why[/]" in row for row in shown(STARTED, line("cancelled", 2, reason="[red]why[/]"))
    )


def test_a_saga_without_its_beginning_says_so():
    """So that it does not look complete."""
    rows = shown(*COMPENSATED[5:])

    assert "cancelled in the last 2 s" in rows[0]
    assert rows[1].startswith("beginning not in the logs; from 2025-11-24 14:25:13.820 UTC")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0004, "0.4 ms"),
        (0.042, "42 ms"),
        (0.9999, "1 s"),
        (1.256, "1.26 s"),
        (59.999, "1 min"),
        (250, "4 min 10 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_have_a_suitable_precision(seconds, expected):
    """Milliseconds matter below a second, seconds do not matter in an hour."""
    assert expected == duration(seconds)


def test_json_holds_every_transition_and_span():
    """Times as ISO 8601, offsets and lengths in seconds."""
    (saga,) = timeline_fields(Timeline.from_lines("o-1", COMPENSATED))["sagas"]

    assert ("cancelled", 8, 3) == (saga["outcome"], len(saga["transitions"]), len(saga["spans"]))
    failed = saga["transitions"][5]
    assert ("2025-11-24T14:25:13.820Z", 10.7, "event-5") == (
        failed["at"],
        failed["offset"],
        failed["cause"],
    )
    assert "place-order/o-1" == saga["sagaId"]
    assert ["process payment"] == failed["details"]["undo"]
    assert {"waited": 10.0, "retryIn": 0.5} == saga["transitions"][2]["details"]


def test_the_diagram_draws_commands_answers_and_undos():
    """Syntax of Mermaid is escaped."""
    diagram = render_mermaid(Timeline.from_lines("o-1", COMPENSATED)).splitlines()

    assert ["sequenceDiagram", "    title Order o-1"] == diagram[:2]
    assert [
        "    saga1->>saga1step1: do",
        "    saga1step1-->>saga1: done in 40 ms",
        "    saga1->>saga1step2: do",
        "    saga1->>saga1step2: sent again (attempt 2)",
        "    saga1step2--xsaga1: failed in 160 ms: OUT_OF_STOCK, SKU-9: 4 wanted#59; 3 there",
        "    saga1->>saga1step1: undo",
        "    saga1step1-->>saga1: undone in 2 s",
    ] == [row for row in diagram if "->>" in row or "--x" in row]


@pytest.mark.parametrize(
    "text",
    [
        '%%{init: {"securityLevel": "loose"}}%%',
        "<img src=x onerror=alert(1)>",
        "`**bold**`",
        "a; participant evil",
        "a\nNote over saga1: evil",
        "#lt;script#gt;",
        "&lt;b&gt; \\n",
    ],
)
def test_text_cannot_become_a_part_of_the_diagram(text):
    """Neither a directive, nor markup, nor a statement: not of an order id, nor of a reason."""

    def drawn(said):
        lines = [STARTED, line("step_failed", 2, 1.0, step=said, reason=said, saga=said)]
        diagram = render_mermaid(Timeline.from_lines(said, lines))
        return [re.sub(r"#\d+;", "", row) for row in diagram.splitlines()]

    rows, harmless = drawn(text), drawn("harmless")
    arrows = [re.sub(r"-{1,2}(>>|x)", "", row) for row in rows]

    assert [row.split()[0] for row in harmless] == [row.split()[0] for row in rows]
    assert [] == [row for row in arrows if re.search(r"[#;%{}<>&\"`\\]", row)]


@pytest.fixture
def trace(tmp_path):
    """Runs the command on a directory of its own, with the compensated order in its log."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "order-sagas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in COMPENSATED))

    def run(*arguments, log_dir=logs):
        return CliRunner().invoke(trace_command, [*arguments, "--log-dir", str(log_dir)])

    return run


@pytest.mark.parametrize(
    ("form", "beginning"), [("text", "Order o-1"), ("json", "{"), ("mermaid", "sequenceDiagram")]
)
def test_the_command_prints_the_requested_format(trace, form, beginning):
    """Text by default."""
    result = trace("o-1", "--format", form)

    assert 0 == result.exit_code
    assert result.stdout.startswith(beginning)


def test_json_has_the_flag_of_all_commands(trace):
    """The same as by `--format json`."""
    assert trace("o-1", "--format", "json").stdout == trace("o-1", "--json").stdout


def test_an_order_without_a_trace_reports_the_searched_directory(trace, tmp_path):
    """With exit code 1 and possible reasons."""
    result = trace("o-2")

    assert 1 == result.exit_code
    assert (
        f"No trace of order o-2. Looked in {tmp_path / 'logs'}: 1 log file there" in result.stderr
    )


def test_the_id_of_a_saga_stands_for_its_order(trace) -> None:
    """If the order has that saga."""
    assert trace("o-1").stdout == trace("place-order/o-1").stdout
    assert "No trace of order refund/o-1." in trace("refund/o-1").stderr


def test_a_directory_without_logs_is_distinguished_from_a_missing_one(trace, tmp_path):
    """The usual mistake is a wrong directory."""
    (tmp_path / "empty").mkdir()

    empty = trace("o-1", log_dir=tmp_path / "empty")
    missing = trace("o-1", log_dir=tmp_path / "missing")

    assert "there are no log files there yet" in empty.stderr
    assert "there is no such directory" in missing.stderr
    assert (1, 1) == (empty.exit_code, missing.exit_code)


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything"
)
def test_a_directory_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path):
    """As for who is no member of the group of the files."""
    logs = tmp_path / "logs"
    logs.mkdir(mode=0)
    rights = "-dac_override,-dac_read_search"
    less = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    done = subprocess.run(
        [*(less if os.geteuid() == 0 else []), *COMMAND, "trace", "o-1", "--log-dir", str(logs)],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (1, f"Error: Permission denied: {logs}\n") == (done.returncode, done.stderr)
