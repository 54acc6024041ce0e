"""An example saga: goods are returned, refunded and restocked in parallel; then a thank-you.

Run it with `system.bootstrap.Parts(sagas=[RETURN_GOODS], services=[Till, Shelf, Desk])`.
"""

# ruff: noqa: E701, E702 - short declarations are easier to read as a list
# fmt: off
from order_sagas import Answer, Entity, Message, Parallel, Participant, Saga, Service, Step, hours


class GoodsReturned(Message): condition: str = "good"; amount: int = 0
class RefundReturn(Message): amount: int = 0
class ReturnRefunded(Message): ...
class ChargeReturnAgain(Message): ...
class ReturnChargedAgain(Message): ...
class RestockReturn(Message): condition: str = "good"
class ReturnStocked(Message): ...
class ReturnRefused(Message): ...
class SendReturnBack(Message): ...
class ReturnSentBack(Message): ...
class ReturnThanks(Message): ...
class Refund(Entity): table = "return_refunds"; order_id: str; status: str; amount: int = 0
class Parcel(Entity): table = "return_parcels"; order_id: str; status: str
class Thanks(Entity): table = "return_thanks"; order_id: str

class Till(Service):
    participant, entity = Participant("till", "till-events"), Refund
    def refund(self, known: Refund | None, do: RefundReturn, now: float) -> Answer:
        refund = known or Refund(order_id=do.order_id, status="PAID", amount=do.amount)
        done = (ReturnRefunded(order_id=do.order_id),) if refund.status == "PAID" else ()
        return Answer((refund,), done)
    def charge(self, known: Refund | None, do: ChargeReturnAgain, now: float) -> Answer:
        charged = Refund(order_id=do.order_id, status="CHARGED")  # refuses a late refund
        return Answer((charged,), (ReturnChargedAgain(order_id=do.order_id),))
    handlers = {RefundReturn: refund, ChargeReturnAgain: charge}

class Shelf(Service):
    participant, entity = Participant("shelf", "shelf-events"), Parcel
    def restock(self, known: Parcel | None, do: RestockReturn, now: float) -> Answer:
        parcel = known or Parcel(order_id=do.order_id, status=do.condition)
        answer = ReturnStocked if parcel.status == "good" else ReturnRefused
        return Answer((parcel,), (answer(order_id=do.order_id),))
    def send_back(self, known: Parcel | None, do: SendReturnBack, now: float) -> Answer:
        sent = Parcel(order_id=do.order_id, status="sent back")
        return Answer((sent,), (ReturnSentBack(order_id=do.order_id),))
    handlers = {RestockReturn: restock, SendReturnBack: send_back}

class Desk(Service):
    participant, entity = Participant("desk", "desk-events"), Thanks
    handlers = {ReturnThanks: lambda _, known, do, now: Answer((Thanks(order_id=do.order_id),))}

RETURN_GOODS = Saga("return-goods", version=1, starts_on=GoodsReturned, steps=[Parallel(
    Step("refund", to=Till.participant, within=hours(1), done=ReturnRefunded,
         do=lambda r: RefundReturn(order_id=r.order_id, amount=r.amount),
         undo=lambda r: ChargeReturnAgain(order_id=r.order_id), undone=ReturnChargedAgain),
    Step("restock", to=Shelf.participant, within=hours(9), done=ReturnStocked, failed=ReturnRefused,
         do=lambda r: RestockReturn(order_id=r.order_id, condition=r.condition),
         undo=lambda r: SendReturnBack(order_id=r.order_id), undone=ReturnSentBack)),
    Step("tell", to=Desk.participant, pivot=True, do=lambda r: ReturnThanks(order_id=r.order_id))])
