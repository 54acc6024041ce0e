"""The number of workers, as the broker reports it."""

import pytest
from kafka import KafkaAdminClient
from kafka.errors import CoordinatorLoadInProgressError

from order_sagas.bridges.kafka import KafkaClientError, KafkaConnection, group_members
from order_sagas.bridges.kafka.group_members import members_of

pytestmark = pytest.mark.kafka


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of responses that are still to say that the broker is loading."""
    left = [2]
    real = KafkaAdminClient.list_groups

    def list_groups(admin: KafkaAdminClient) -> object:
        if left[0]:
            left[0] -= 1
            raise CoordinatorLoadInProgressError("it has just started")
        return real(admin)

    monkeypatch.setattr(KafkaAdminClient, "list_groups", list_groups)
    monkeypatch.setattr(group_members, "PAUSE", 0.01)
    return left


def test_a_broker_that_loads_its_groups_is_asked_again(
    connection: KafkaConnection, loading: list[int], unique: str
) -> None:
    """As just after its start."""
    assert 0 == members_of(connection, unique)
    assert [0] == loading


def test_a_broker_that_never_has_its_groups_is_an_error(
    connection: KafkaConnection,
    loading: list[int],
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wait is limited."""
    loading[0] = 1_000_000
    monkeypatch.setattr(group_members, "LOADING_SECONDS", 0.0)
    with pytest.raises(KafkaClientError, match="just started"):
        members_of(connection, unique)
