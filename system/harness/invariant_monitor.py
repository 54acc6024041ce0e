"""Checks the invariants of a harness after every commit."""

from collections import Counter
from collections.abc import Iterable

from order_sagas.actors.entities import (
    Entity,
    Notification,
    Order,
    Payment,
    Reservation,
    StockLevel,
)
from order_sagas.actors.rules import Rule
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges import audit
from order_sagas.bridges.audit.commit_rules import (
    Broken,
    Facts,
    check_change,
    check_order,
    check_rule,
    check_rules,
    check_stock,
    check_timers,
)
from order_sagas.bridges.audit.sql_dialects import SQLITE
from order_sagas.bridges.storage.changes import Changes
from order_sagas.system.harness.committed_state import Books
from order_sagas.system.harness.lock_rules import LockRules

_FIELDS: dict[type[Entity], str] = {
    Order: "order",
    Payment: "payment",
    Reservation: "reservation",
    Notification: "notification",
}


class Ledger:
    """A copy of the committed state, and the violations found.

    Each commit is checked only for the orders and stock levels that it changed; `audit` checks all.
    """

    def __init__(self, registry: Registry, rules: Iterable[Rule] = ()) -> None:
        self._registry = registry
        self._rules = tuple(rules)
        is_exclusive = any(saga.exclusive is not None for saga in registry)
        self._locks = LockRules(registry) if is_exclusive else None
        self._by_entity: dict[type[Entity], list[Rule]] = {}
        for rule in self._rules:
            if rule.of is not None:
                self._by_entity.setdefault(rule.of, []).append(rule)
        self.facts: dict[str, Facts] = {}
        self.levels: dict[tuple[str, str], StockLevel] = {}
        self.held: Counter[tuple[str, str]] = Counter()
        """Reserved quantities, by warehouse and SKU."""
        self.open: dict[str, str] = {}
        """The order ids of sagas in flight, by saga id."""
        self.clock_is_steady = True
        """True if the wall clock was never set back, so that its times can be compared."""
        self.violations: dict[Broken, None] = {}
        """The violations, in the order in which they were found."""

    def __call__(self, changes: Changes) -> None:
        """Apply the changes of a commit, and check them."""
        touched: dict[str, tuple[Facts, Facts]] = {}
        levels: list[StockLevel] = []
        for entity in changes.entities:
            if isinstance(entity, StockLevel):
                self.levels[entity.warehouse, entity.sku] = entity
                levels.append(entity)
            elif name := _FIELDS.get(type(entity)):
                facts = self._touch(touched, entity.order_id)  # type: ignore[attr-defined]
                if isinstance(entity, Reservation):
                    self._hold(facts.reservation, -1)
                    self._hold(entity, 1)
                setattr(facts, name, entity)
            elif entity.key == ("order_id",):
                self._touch(touched, entity.order_id).others[type(entity)] = entity  # type: ignore[attr-defined]
            for rule in self._by_entity.get(type(entity), ()):
                subject = "/".join(str(getattr(entity, field)) for field in entity.key)
                self._note(check_rule(rule, entity, subject))
        for saga in changes.sagas:
            self._touch(touched, saga.order_id).sagas[saga.saga] = saga
            if saga.ended:
                self.open.pop(saga.saga_id, None)
            else:
                self.open[saga.saga_id] = saga.order_id
        for before, after in touched.values():
            self._note(check_change(before, after))
            if self.clock_is_steady:
                self._note(check_timers(before, after, self._registry))
            self._note(check_order(after, self._registry))
            if self._rules:
                self._note(check_rules(self._rules, after))
        if self._locks is not None:
            self._note(self._locks.check(changes))
        for level in levels:
            self._note(check_stock(level, self.held[level.warehouse, level.sku]))

    def audit(self, books: Books, *, ended: bool = False) -> None:
        """Run the checks of `order-sagas audit`, and compare the database with all commits so far.

        `ended` adds the checks that hold once all sagas have ended.
        """
        stored: dict[str, Facts] = {}
        for kind, name in _FIELDS.items():
            for entity in books.all_of(kind):
                order_id: str = entity.order_id  # type: ignore[attr-defined]
                setattr(stored.setdefault(order_id, Facts(order_id)), name, entity)
        for own in {kind for facts in self.facts.values() for kind in facts.others}:
            for entity in books.all_of(own):
                order_id = entity.order_id  # type: ignore[attr-defined]
                stored.setdefault(order_id, Facts(order_id)).others[own] = entity
        for saga in books.sagas():
            facts = stored.setdefault(saga.order_id, Facts(saga.order_id))
            facts.sagas[saga.saga] = saga
        for order_id in {**stored, **self.facts}:
            if stored.get(order_id) != self.facts.get(order_id):
                detail = f"{stored.get(order_id)}, not {self.facts.get(order_id)}"
                self._note([Broken("what is committed is stored", order_id, detail)])
        tables = audit.Ledger(lambda sql: books.connection.rows(sql, ()), SQLITE)
        found = audit.violations(tables, self._registry, ended=ended)
        self._note(Broken(v.check, v.subject, v.found) for v in found)

    def note(self, violation: Broken) -> None:
        """Add a violation."""
        self.violations[violation] = None

    def _touch(self, touched: dict[str, tuple[Facts, Facts]], order_id: str) -> Facts:
        pair = touched.get(order_id)
        if pair is None:
            known = self.facts.get(order_id)
            after = known or Facts(order_id)
            before = after.copy()
            self.facts[order_id] = after
            pair = touched[order_id] = (before, after)
        return pair[1]

    def _hold(self, reservation: Reservation | None, sign: int) -> None:
        if reservation and reservation.status == Reservation.HELD:
            for line in reservation.lines:
                self.held[reservation.warehouse, line.sku] += sign * line.quantity

    def _note(self, violations: Iterable[Broken]) -> None:
        for violation in violations:
            self.violations[violation] = None
