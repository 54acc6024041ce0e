"""Settings that would show a secret, or run the code of another user."""

import os

import pytest

from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.load import load_settings
from order_sagas.system.settings.model import declared

OAUTH = {"kafka_sasl_mechanism": "OAUTHBEARER", "kafka_token_file": "/run/token"}
PLAIN = {"kafka_sasl_mechanism": "PLAIN", "kafka_username": "u", "kafka_password": "p"}
CLEAR = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka": "kafka.example:9092"}


def warnings(flags, env=None):
    """The warnings for these flags."""
    return load_settings(flags, env or {})[1].warnings


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ({"database": "postgresql://u:secret@db/x"}, "PGPASSFILE"),
        ({"database": "postgresql://db/x?password=secret"}, "PGPASSFILE"),
        ({"smtp_host": "mail.example", "smtp_username": "u"}, "smtp_starttls"),
        ({**CLEAR, **PLAIN}, "SASL_SSL"),
        ({**CLEAR, **OAUTH}, "SASL_SSL"),
    ],
)
def test_a_secret_readable_by_others_causes_a_warning(flags, word):
    """The warning does not show the secret."""
    [warning] = warnings(flags)

    assert word in warning
    assert "secret" not in warning


@pytest.mark.parametrize(
    "flags",
    [
        {"database": "postgresql://u@db/x"},
        {"smtp_host": "127.0.0.1", "smtp_username": "u"},
        {"smtp_host": "mail.example", "smtp_username": "u", "smtp_starttls": True},
        {**CLEAR, **PLAIN, "kafka": "localhost:9092,[::1]:9092"},
        {**CLEAR, **PLAIN, "kafka_sasl_mechanism": "SCRAM-SHA-512"},
        {**CLEAR, **PLAIN, "kafka_security_protocol": "SASL_SSL"},
    ],
)
def test_a_local_or_encrypted_secret_causes_no_warning(flags):
    """Nor does a missing one."""
    assert () == warnings(flags)


def test_a_password_in_the_environment_causes_no_warning():
    """Other users cannot read it."""
    assert () == warnings({}, {"ORDER_SAGAS_DATABASE": "postgresql://u:secret@db/x"})


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("kafka_token_command", "get-token --secret S1", "get-token ***"),
        ("kafka_token_command", "get-token", "get-token"),
        ("otel_endpoint", "http://u:S1@host:4318/v1?api_key=S1", "http://***@host:4318/v1?***"),
        ("otel_endpoint", "http://host:4318", "http://host:4318"),
    ],
)
def test_values_are_shown_without_their_secrets(name, value, shown):
    """As `order-sagas settings` prints it."""
    settings, _ = load_settings({name: value}, {})
    setting = next(each for each in declared() if each.name == name)

    assert shown == setting.kind.show(getattr(settings, name))


@pytest.mark.parametrize("text", ['kafka_token_command = "true"', 'app = "shop:app"'])
def test_code_is_not_loaded_from_a_file_that_others_can_write(tmp_path, monkeypatch, text):
    """A file in the working directory is refused; a file given by name is accepted."""
    file = tmp_path / "order-sagas.toml"
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    os.chmod(file, 0o644)
    own, _ = load_settings({}, {})
    os.chmod(file, 0o666)
    named, _ = load_settings({}, {}, file)

    assert own == named
    with pytest.raises(SettingError, match="runs code"):
        load_settings({}, {})
