"""An example of a call to another system: a parcel label is bought over HTTP, and made void.

Run it with `system.bootstrap.Parts(sagas=[SEND_PARCEL], services=[Carrier, Desk])`; it needs httpx.
"""

# ruff: noqa: E701 - short declarations are easier to read as a list
import os

import httpx

from order_sagas import (
    Answer,
    CallLimits,
    Declined,
    Effect,
    EffectService,
    Entity,
    Failed,
    Message,
    Participant,
    Saga,
    Service,
    Step,
    minutes,
)


# fmt: off
class ParcelPacked(Message): address: str = ""; grams: int = 0  # noqa: E702
class BuyLabel(Message): address: str = ""; grams: int = 0  # noqa: E702
class LabelBought(Message): label: str = ""
class LabelRefused(Failed): ...
class VoidLabel(Message): ...
class LabelVoided(Message): ...
class BookPickup(Message): ...
class PickupBooked(Message): ...
class PickupRefused(Failed): ...
class Label(Effect): table = "parcel_labels"
class Pickup(Entity): table = "parcel_pickups"; order_id: str; status: str  # noqa: E702
# fmt: on


class Carrier(EffectService):
    """Buys labels from a carrier, over HTTP."""

    participant, entity = Participant("carrier", topic="carrier-events"), Label
    do, done, failed = BuyLabel, LabelBought, LabelRefused
    undo, undone = VoidLabel, LabelVoided
    limits = CallLimits(at_once=4, per_second=20, timeout=15, failures=5, open_for=60)

    @staticmethod
    def open_client() -> httpx.Client:
        """The URL comes from the environment; a client must have a timeout."""
        return httpx.Client(base_url=os.environ["CARRIER_URL"], timeout=10)

    @staticmethod
    def perform(client: httpx.Client, command: BuyLabel, key: str) -> LabelBought | Declined:
        """Buy a label. Any exception means that the outcome is unknown: it is asked for again."""
        parcel = {"address": command.address, "grams": command.grams}
        answer = client.post("/labels", json=parcel, headers={"Idempotency-Key": key})
        if answer.status_code == 422:
            return Declined("bad_parcel", answer.text)
        return LabelBought(order_id=command.order_id, label=answer.raise_for_status().json()["id"])

    @staticmethod
    def take_back(client: httpx.Client, command: VoidLabel, done: LabelBought, key: str) -> None:
        """Make the label void, and get the money back."""
        path = f"/labels/{done.label}"
        client.delete(path, headers={"Idempotency-Key": key}).raise_for_status()


class Desk(Service):
    """Books the pickups."""

    participant, entity = Participant("desk", topic="desk-events"), Pickup

    def book(self, known: Pickup | None, do: BookPickup, now: float) -> Answer:
        """Book a pickup. In this example, none is free for orders with an odd number."""
        refused = do.order_id[-1] in "13579"
        pickup = known or Pickup(order_id=do.order_id, status="refused" if refused else "booked")
        answer = PickupRefused if pickup.status == "refused" else PickupBooked
        return Answer((pickup,), (answer(order_id=do.order_id),))

    handlers = {BookPickup: book}


SEND_PARCEL = Saga(
    "send-parcel",
    version=1,
    starts_on=ParcelPacked,
    steps=[
        Step(
            "buy label",
            to=Carrier.participant,
            do=lambda p: BuyLabel(order_id=p.order_id, address=p.address, grams=p.grams),
            done=LabelBought,
            failed=LabelRefused,
            within=minutes(5),
            undo=lambda p: VoidLabel(order_id=p.order_id),
            undone=LabelVoided,
        ),
        Step(
            "book pickup",
            to=Desk.participant,
            do=lambda p: BookPickup(order_id=p.order_id),
            done=PickupBooked,
            failed=PickupRefused,
            within=minutes(1),
            pivot=True,
        ),
    ],
)
