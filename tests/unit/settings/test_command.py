"""`order-sagas settings`, and settings as flags of any command."""

import json
import os

import click
import pytest
from click.testing import CliRunner

from order_sagas.system.cli.settings import settings_command
from order_sagas.system.settings import load_settings, settings_options
from order_sagas.system.settings.model import declared
from tests.support.markdown import ROOT


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty directory, without settings of the machine."""
    for variable in filter(lambda name: name.startswith("ORDER_SAGAS_"), list(os.environ)):
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke


@click.command
@settings_options("seed", "smtp_starttls")
@click.argument("word")
def echo(settings, word):
    click.echo(f"{word} {settings.seed} {settings.smtp_starttls} {settings.batch_size}")


def test_a_command_takes_the_flags_it_asked_for_and_gets_all_settings(run, monkeypatch):
    """Flags are few; the environment still reaches the rest."""
    monkeypatch.setenv("ORDER_SAGAS_BATCH_SIZE", "50")

    result = run(echo, ["--seed", "4", "--smtp-starttls", "hello"])

    assert "hello 4 True 50\n" == result.output


def test_a_wrong_setting_ends_the_command_with_exit_code_2(run):
    """It is a usage error, printed in one line."""
    result = run(echo, ["--seed", "-1", "hello"])

    assert 2 == result.exit_code
    assert "seed (flag --seed): '-1' is not accepted; it takes a whole number" in result.output


def test_a_warning_goes_to_standard_error(run, monkeypatch):
    """The output of the command does not change."""
    monkeypatch.setenv("ORDER_SAGAS_SED", "4")

    result = run(echo, ["hello"])

    assert "hello 0 False 500\n" == result.stdout
    assert "did you mean ORDER_SAGAS_SEED?" in result.stderr


def test_the_table_shows_value_and_source(run, tmp_path):
    """The value and its source are on one line."""
    (tmp_path / "order-sagas.toml").write_text("payment_delay = '1500ms'\n")

    lines = run(settings_command, ["--batch-size", "20"]).output.splitlines()

    assert ["payment_delay", "1.5s", "order-sagas.toml:1"] in [line.split() for line in lines]
    assert ["batch_size", "20", "flag", "--batch-size"] in [line.split() for line in lines]
    assert ["kafka", "-", "default"] in [line.split() for line in lines]


def test_json_has_every_setting_with_plain_values(run):
    """A script gets numbers as numbers."""
    shown = json.loads(run(settings_command, ["--json", "--payment-delay", "1m"]).output)

    assert [setting.name for setting in declared()] == list(shown)
    assert 60.0 == shown["payment_delay"]["value"]
    assert "flag --payment-delay" == shown["payment_delay"]["source"]


def test_the_template_of_a_file_can_be_loaded(run, tmp_path):
    """With all lines uncommented, it changes nothing."""
    written = run(settings_command, ["--toml"]).output
    path = tmp_path / "mine.toml"
    path.write_text(
        "\n".join(line.removeprefix("# ") for line in written.splitlines() if " = " in line)
    )

    settings, provenance = load_settings({}, {}, path)

    assert load_settings({}, {})[0] == settings
    assert "default" not in provenance.sources.values()


def test_the_table_of_the_manual_has_a_row_for_every_setting(run):
    """So that the documentation is complete."""
    written = run(settings_command, ["--markdown"]).output

    assert all(f"| `{setting.name}` |" in written for setting in declared())


def test_the_page_of_settings_is_what_the_command_prints(run):
    """Replace the table in docs/settings.md by the output of `order-sagas settings --markdown`."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    assert page[page.index("| setting |") :] == run(settings_command, ["--markdown"]).output
