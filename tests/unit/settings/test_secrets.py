"""Passwords never appear in output or logs."""

import pytest

from order_sagas.system.settings import SettingError, Settings, load_settings
from order_sagas.system.settings.options import settings_options
from order_sagas.system.settings.show import settings_json

PASSWORD = "hunter2"
URLS = [
    f"postgresql://shop:{PASSWORD}@db/orders",
    f"postgresql://db/orders?user=shop&password={PASSWORD}",
]


@pytest.mark.parametrize("database", URLS)
def test_no_password_is_in_what_is_printed_or_in_the_repr(database):
    """The values are used, and masked in all output."""
    env = {
        "ORDER_SAGAS_DATABASE": database,
        "ORDER_SAGAS_SMTP_PASSWORD": PASSWORD,
        "ORDER_SAGAS_KAFKA_PASSWORD": PASSWORD,
    }

    settings, provenance = load_settings({}, env)

    assert PASSWORD == settings.smtp_password == settings.kafka_password
    assert PASSWORD in settings.database
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in settings_json(settings, provenance).decode()


@pytest.mark.parametrize(
    "database",
    [f"postgresql:/shop:{PASSWORD}@db/orders", f"mysql://shop:{PASSWORD}@db/orders"],
)
def test_the_password_of_a_url_that_is_refused_is_masked(database):
    """A typing error in the rest of the URL does not disclose the password."""
    with pytest.raises(SettingError) as caught:
        load_settings({}, {"ORDER_SAGAS_DATABASE": database})

    assert PASSWORD not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_empty_password_is_not_shown_as_if_there_were_one():
    """The mask says that a value is set."""
    assert "smtp_password=''" in repr(Settings())


def test_a_secret_has_no_flag():
    """A command line is visible to every user of the machine."""
    with pytest.raises(ValueError, match="smtp_password is a secret"):
        settings_options("smtp_password")(lambda settings: None)
