"""The values that each kind of setting accepts, and the errors of others."""

import pickle

import pytest

from order_sagas.system.settings import SettingError, load_settings


def the(name, raw):
    settings, _ = load_settings({name: raw}, {})
    return getattr(settings, name)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("session_timeout", "500ms", 0.5),
        ("session_timeout", "1.5 h", 5400.0),
        ("session_timeout", 5, 5.0),
        ("payment_delay", "0", 0.0),
        ("log_max_bytes", "2MB", 2 * 1024**2),
        ("log_max_bytes", 100, 100),
        ("log_level", "INFO", "info"),
        ("roles", "stock, orders", ("stock", "orders")),
        ("roles", ["stock", "orders"], ("stock", "orders")),
        ("app", "shop.app:APP", "shop.app:APP"),
        ("payment_decline_customers", "", ()),
        ("payment_decline_customers", "ann,bob", ("ann", "bob")),
        ("payment_decline_above", "none", None),
        ("payment_decline_above", "0", 0),
        ("smtp_starttls", "yes", True),
        ("smtp_starttls", False, False),
        ("kafka", "a:9092, b:9093", "a:9092,b:9093"),
        ("kafka_sasl_mechanism", "scram-sha-256", "SCRAM-SHA-256"),
        ("database", "postgresql://u:p@h:5/n", "postgresql+psycopg://u:p@h:5/n"),
        (
            "database",
            "postgresql://me@/orders?host=/run/pg",
            "postgresql+psycopg://me@/orders?host=%2Frun%2Fpg",
        ),
        ("database", "sqlite://", "sqlite://"),
        ("approval_above", "EUR 500, JPY 60000", (("EUR", 50_000), ("JPY", 60_000))),
        ("approval_above", ["EUR 499.5", "KWD 1.005"], (("EUR", 49_950), ("KWD", 1005))),
        ("approval_above", "", ()),
        ("http_trace_link", " https://t.example/{trace_id} ", "https://t.example/{trace_id}"),
        ("http_log_link", "", ""),
    ],
)
def test_a_value_is_read_from_text_and_from_toml(name, raw, expected):
    """Units, lists, booleans and addresses are written as people write them."""
    assert expected == the(name, raw)


@pytest.mark.parametrize(
    ("name", "raw", "accepts"),
    [
        ("http_trace_link", "javascript:alert(1)", "an http or https URL"),
        ("http_log_link", "https://l.example/{customer}", "{order_id} are replaced"),
        ("partitions", "0", "a whole number from 1"),
        ("partitions", 1.5, "a whole number from 1"),
        ("partitions", True, "a whole number from 1"),
        ("approval_above", "500 EUR", "amounts with their currencies"),
        ("approval_above", "EUR 1, EUR 2", "amounts with their currencies"),
        ("approval_above", "EUR 1.005", "amounts with their currencies"),
        ("approval_above", "ABC 1", "amounts with their currencies"),
        ("deadline_scale", "0", "a number above 0"),
        ("deadline_scale", "nan", "a number above 0"),
        ("payment_decline_rate", "1.01", "a number from 0 to 1"),
        ("session_timeout", "5 parsecs", "seconds, or a number with ms, s, m, h or d"),
        ("session_timeout", "0", "more than 0"),
        ("log_max_bytes", "lots", "bytes, or a number with kB"),
        ("log_level", "loud", "debug, info, warning or error"),
        ("app", "shop.app", "module:object, such as shop.app:APP"),
        ("app", "shop/app.py:APP", "module:object"),
        ("app", "shop.app:", "module:object"),
        ("smtp_starttls", "maybe", "true or false"),
        ("kafka", "broker", "HOST:PORT"),
        ("kafka", "broker:0", "HOST:PORT"),
        ("database", "mysql://h/n", "sqlite:///PATH or postgresql://"),
        ("database", "orders.db", "sqlite:///PATH or postgresql://"),
        ("log_dir", " ", "a path"),
    ],
)
def test_a_wrong_value_names_setting_source_value_and_what_is_accepted(name, raw, accepts):
    """The message alone is enough to correct it."""
    with pytest.raises(SettingError) as caught:
        the(name, raw)

    assert name == caught.value.name
    assert f"flag --{name.replace('_', '-')}" == caught.value.source
    assert f"{raw!r} is not accepted; it takes" in str(caught.value).replace("' '", repr(raw))
    assert accepts in str(caught.value)


def test_a_setting_error_can_be_pickled():
    """So that the error of a worker reaches the first process."""
    error = SettingError("seed", "default", "is odd")

    copy = pickle.loads(pickle.dumps(error))

    assert (str(error), error.name, error.source) == (str(copy), copy.name, copy.source)
    assert isinstance(copy, ValueError)
