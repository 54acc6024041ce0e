"""What the checks and the functions of a definition see of it: its rows."""

from collections.abc import Mapping
from typing import Any, Protocol

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.step import Step


class Table(Protocol):
    """The part of `Saga` that does not depend on the modules that read it.

    What is a cached property there has no type here: pyright takes it for no property.
    """

    @property
    def name(self) -> str:
        """The name of the definition."""
        ...

    @property
    def version(self) -> int:
        """The version of the definition."""
        ...

    @property
    def starts_on(self) -> type[Message]:
        """The class of the message that starts a saga."""
        ...

    @property
    def deadline(self) -> float | None:
        """The deadline of a whole saga, in seconds from its start."""
        ...

    @property
    def rows(self) -> Any:
        """Every step in the order of the table."""
        ...

    @property
    def stages(self) -> tuple[tuple[Step[Any, Any], ...], ...]:
        """The steps of each stage."""
        ...

    @property
    def stage_steps(self) -> Any:
        """For each stage, the indexes of its steps in `rows`."""
        ...

    @property
    def index(self) -> Any:
        """The index in `rows` of each step, by name."""
        ...

    @property
    def pivot(self) -> Any:
        """The pivot, or None."""
        ...

    @property
    def pivot_stage(self) -> Any:
        """The index of the stage with the pivot; the number of stages if there is none."""
        ...

    @property
    def kept(self) -> Any:
        """The indexes in `rows` of the steps whose replies are stored."""
        ...

    @property
    def cancelled(self) -> tuple[Any, ...]:
        """The notices of a cancelled saga."""
        ...

    @property
    def migrates(self) -> Mapping[int, Any]:
        """The mappings from other versions."""
        ...

    def row_named(self, name: str) -> Step[Any, Any] | None:
        """The row of a step, by its name or that of an item of it."""
        ...
