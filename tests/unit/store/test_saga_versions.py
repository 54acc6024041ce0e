"""A database refuses a definition that changed without a new version."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import COMPLETED, RUNNING, SENT, SagaState, StepState
from order_sagas.bridges.errors import ChangedSagaError, StoreError
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.saga_versions import (
    check_definitions,
    check_in_flight,
    stored_shape,
)
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import open_store
from order_sagas.system.order_app import APP
from order_sagas.system.settings import Settings
from tests.support.embedded import an_order

CREATE, PAY, RESERVE, COMPLETE, NOTIFY = PLACE_ORDER.rows


def a_saga(*steps: Any, version: int = 1) -> Saga[Any]:
    return Saga(PLACE_ORDER.name, version, PLACE_ORDER.starts_on, steps, PLACE_ORDER.cancelled)


SWAPPED = a_saga(CREATE, RESERVE, PAY, COMPLETE, NOTIFY)
LONGER = a_saga(CREATE, PAY, RESERVE, COMPLETE)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    """A store of four partitions, in a database of each kind."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    store = Store(url, Registry([PLACE_ORDER]), 4)
    yield store
    store.close()


def test_swapped_steps_are_refused_with_the_difference(store) -> None:
    check_definitions(store.db, Registry([PLACE_ORDER]))

    with pytest.raises(ChangedSagaError) as refused:
        check_definitions(store.db, Registry([SWAPPED]))

    first, *steps = str(refused.value).splitlines()
    assert (
        "version 1 of saga 'place-order' has changed since this database was used with it: give "
        "the new definition the version 2, and keep the former one beside it while sagas of it "
        "are in flight"
    ) == first
    assert ["  step 2: was 'process payment'", "  step 3: was 'reserve stock'"] == [
        step.split(",")[0] for step in steps
    ]


def stored_versions(db) -> list[int]:
    """The versions of place-order that the database was used with."""
    query = "SELECT version FROM saga_versions WHERE saga = 'place-order' ORDER BY version"
    return [version for (version,) in db.rows(query, ())]


def test_a_new_version_beside_the_old_one_is_stored(store) -> None:
    newer = a_saga(CREATE, RESERVE, PAY, COMPLETE, NOTIFY, version=2)
    check_definitions(store.db, Registry([PLACE_ORDER]))

    check_definitions(store.db, Registry([PLACE_ORDER, newer]))
    check_definitions(store.db, Registry([newer]))

    assert [1, 2] == stored_versions(store.db)
    assert "reserve stock" == stored_shape(store.db, "place-order", 2).steps[1].name
    with pytest.raises(StoreError, match="never used with version 3 of saga 'place-order'"):
        stored_shape(store.db, "place-order", 3)


def test_a_former_database_stores_shapes_if_the_numbers_of_steps_match(store) -> None:
    state = SagaState(
        saga_id="place-order/o-1", order_id="o-1", saga="place-order", version=1, status=RUNNING,
        stage=1, steps=(StepState(SENT, 1, 1.0, 31.0),) * 5, start=an_order(), started_at=1.0,
    )  # fmt: skip
    store.commit(Changes(sagas=[state]), 1.0)

    with pytest.raises(
        ChangedSagaError,
        match=r"'place-order' has 4 steps, and .* of order 'o-1' was begun with 5:",
    ):
        check_definitions(store.db, Registry([LONGER]))
    assert [] == stored_versions(store.db)
    check_definitions(store.db, Registry([PLACE_ORDER]))
    assert [1] == stored_versions(store.db)


def test_a_version_of_sagas_in_flight_must_be_registered(store) -> None:
    """Once they have ended, it may be left out."""
    newer = Registry([a_saga(CREATE, RESERVE, PAY, COMPLETE, NOTIFY, version=2)])
    check_definitions(store.db, Registry([PLACE_ORDER]))
    state = SagaState(
        "place-order/o-1", "o-1", "place-order", 1, RUNNING,
        stage=1, steps=(StepState(SENT, 1, 1.0, 31.0),) * 5, start=an_order(), started_at=1.0,
    )  # fmt: skip
    store.commit(Changes(sagas=[state]), 1.0)

    check_in_flight(store.db, Registry([PLACE_ORDER]))
    with pytest.raises(
        ChangedSagaError,
        match=r"^1 saga in flight of version 1 of 'place-order', .* of order 'o-1'",
    ):
        check_in_flight(store.db, newer)
    store.commit(Changes(sagas=[replace(state, status=COMPLETED, ended_at=2.0)]), 2.0)
    check_in_flight(store.db, newer)


def test_a_worker_does_not_open_a_database_of_another_definition(tmp_path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path / 'orders.db'}")
    open_store(settings, Registry([PLACE_ORDER]), APP.services).close()

    with pytest.raises(ChangedSagaError, match="step 2: was 'process payment'"):
        open_store(settings, Registry([SWAPPED]), APP.services)
