"""The sources of settings, and their precedence."""

from pathlib import Path

import pytest

from order_sagas.system.settings import SettingError, Settings, load_settings
from order_sagas.system.settings.model import declared


def a_file(tmp_path, written):
    path = tmp_path / "order-sagas.toml"
    path.write_text(written)
    return path


def test_without_any_source_the_defaults_are_in_force():
    """An empty machine gives the declared defaults, and says so for each."""
    settings, provenance = load_settings({}, {})

    assert Settings() == settings
    assert {"default"} == set(provenance.sources.values())


def test_a_flag_overrules_the_environment_which_overrules_the_file(tmp_path):
    """Each value has its source."""
    path = a_file(tmp_path, "# mine\nseed = 1\nbatch_size = 1\n\nlog_level = 'debug'\n")
    env = {"ORDER_SAGAS_SEED": "2", "ORDER_SAGAS_BATCH_SIZE": "2"}

    settings, provenance = load_settings({"seed": "3", "batch_size": None}, env, path)

    assert (3, 2, "debug") == (settings.seed, settings.batch_size, settings.log_level)
    assert "flag --seed" == provenance["seed"]
    assert "environment ORDER_SAGAS_BATCH_SIZE" == provenance["batch_size"]
    assert f"{path}:5" == provenance["log_level"]


def test_the_environment_can_name_the_file(tmp_path):
    """ORDER_SAGAS_CONFIG replaces --config, and --config overrules it."""
    named = a_file(tmp_path, "seed = 7")

    settings, _ = load_settings({}, {"ORDER_SAGAS_CONFIG": str(named)})
    overruled, _ = load_settings({}, {"ORDER_SAGAS_CONFIG": "/nowhere.toml"}, named)

    assert (7, 7) == (settings.seed, overruled.seed)


def test_a_file_in_the_working_directory_is_found_by_itself(tmp_path, monkeypatch):
    """./order-sagas.toml needs no flag."""
    a_file(tmp_path, "seed = 9")
    monkeypatch.chdir(tmp_path)

    settings, provenance = load_settings({}, {})

    assert 9 == settings.seed
    assert "order-sagas.toml:1" == provenance["seed"]


def test_a_named_file_has_to_exist(tmp_path):
    """A mistyped path is not the same as no file."""
    with pytest.raises(SettingError, match=r"config \(.*nowhere.toml\): cannot be read"):
        load_settings({}, {}, tmp_path / "nowhere.toml")


def test_a_file_that_is_not_toml_is_an_error_with_its_line(tmp_path):
    """The parser's own line number reaches the reader."""
    with pytest.raises(SettingError, match=r"is not TOML: .*line 2"):
        load_settings({}, {}, a_file(tmp_path, "seed = 1\nbatch_size 2\n"))


def test_an_unknown_key_of_the_file_is_an_error_with_a_suggestion(tmp_path):
    """A typing error would otherwise silently leave the default in force."""
    with pytest.raises(SettingError, match=r"toml:2\): .* did you mean batch_size\?"):
        load_settings({}, {}, a_file(tmp_path, "seed = 1\nbatchsize = 2\n"))


def test_a_table_in_the_file_is_an_error_with_the_flat_names(tmp_path):
    """Keys are flat; the error lists them."""
    with pytest.raises(SettingError, match=r"toml:1\): .*payment_decline_above"):
        load_settings({}, {}, a_file(tmp_path, "[payment]\ndecline_above = 2\n"))


def test_an_unknown_variable_is_a_warning_with_a_suggestion():
    """It may belong to another tool, so it is no error."""
    _, provenance = load_settings({}, {"ORDER_SAGAS_PARTITONS": "3", "ORDER_SAGAS_IMAGE": "x"})

    assert (
        "environment ORDER_SAGAS_IMAGE: there is no such setting",
        "environment ORDER_SAGAS_PARTITONS: there is no such setting; "
        "did you mean ORDER_SAGAS_PARTITIONS?",
    ) == provenance.warnings


def test_logs_and_mail_are_beside_the_database_by_default():
    """One directory holds all that an installation writes."""
    beside, provenance = load_settings({"database": "sqlite:////srv/shop/orders.db"}, {})
    elsewhere, _ = load_settings({"log_dir": "/var/log/shop"}, {})
    server, _ = load_settings({"database": "postgresql://shop@db/orders"}, {})

    assert (Path("/srv/shop/logs"), Path("/srv/shop/mail")) == (beside.log_dir, beside.maildir)
    assert "default" == provenance["log_dir"]
    assert Path("/var/log/shop") == elsewhere.log_dir
    assert Path("data/logs") == server.log_dir


def test_every_default_is_a_value_that_its_own_setting_accepts():
    """The documented default can be written in a file unchanged."""
    settings, _ = load_settings({setting.name: setting.default for setting in declared()}, {})

    assert Settings() == settings


def test_sasl_without_a_user_names_what_is_missing():
    """A check that needs two settings names both."""
    flags = {"kafka_security_protocol": "sasl_ssl", "kafka_sasl_mechanism": "plain"}

    with pytest.raises(SettingError, match=r"kafka_username \(default\).*SASL_SSL"):
        load_settings(flags, {})


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "kafka_token_file"),
        ({"kafka_token_file": "/run/token"}, None),
        ({"kafka_token_command": "print-token"}, None),
    ],
)
def test_a_login_by_token_needs_a_source_of_tokens_and_no_password(given, missing):
    """Either a file or a command."""
    sasl = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"}

    try:
        load_settings({**sasl, **given}, {})
        refused = None
    except SettingError as error:
        refused = error.name

    assert missing == refused
