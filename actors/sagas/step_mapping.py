"""How sagas in flight of one version of a definition go on as sagas of another one."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.field_checks import shown
from order_sagas.actors.sagas.shape import SagaShape
from order_sagas.actors.sagas.table import Table


def _names(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise DefinitionError(f"names of steps must be a collection, not the text {names!r}")
    return frozenset(names)


def _renames(renames: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(renames))


@attrs.frozen
class StepMapping:
    """Which step of another version is which step of the version that declares the mapping.

    Steps of the same name are the same step; `renamed` maps former names to new ones. `added` are
    the steps that the other version lacks: a saga that is past one of them skips it. `required` are
    those of `added` that must not be skipped: a saga that is past one of them cannot be moved.
    `removed` are the steps that only the other version has.
    """

    renamed: Mapping[str, str] = attrs.field(default=MappingProxyType({}), converter=_renames)
    added: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    required: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    removed: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)

    def backwards(self) -> "StepMapping":
        """The mapping of the way back."""
        return StepMapping(
            {new: old for old, new in self.renamed.items()}, added=self.removed, removed=self.added
        )


def check_mappings(saga: Table) -> None:
    """Raise DefinitionError if a mapping of the definition names a step that it does not have."""
    mappings: Any = saga.migrates
    if not isinstance(mappings, Mapping) or not all(
        isinstance(each, StepMapping) for each in mappings.values()
    ):
        raise DefinitionError(
            f"saga {saga.name!r}: `migrates` must be a StepMapping for each other version, such as "
            f"{{1: StepMapping()}}, not {shown(mappings)}"
        )
    for version, mapping in saga.migrates.items():

        def refuse(rule: str, version: int = version) -> NoReturn:
            raise DefinitionError(f"saga {saga.name!r}: `migrates` from version {version}: {rule}")

        if version == saga.version:
            refuse("it is the version of the definition itself")
        for name in sorted({*mapping.renamed.values(), *mapping.added} - saga.index.keys()):
            refuse(f"version {saga.version} has no step {name!r}")
        for name in sorted(mapping.required - mapping.added):
            refuse(f"{name!r} is in `required` and not in `added`")
        for name in sorted(mapping.added & {*mapping.renamed.values()}):
            refuse(f"{name!r} is in `added`, and another step is renamed to it")
        if len({*mapping.renamed.values()}) < len(mapping.renamed):
            refuse("two steps are renamed to one")


def new_places(before: SagaShape, saga: Table, mapping: StepMapping) -> list[int | None]:
    """For each step of `before`, its place in the rows of the definition; None if it is removed.

    Raises DefinitionError if the mapping leaves open what becomes of a step of either version.
    """

    def refuse(rule: str) -> NoReturn:
        raise DefinitionError(f"saga {saga.name!r}: moving to version {saga.version}: {rule}")

    names = [step.name for step in before.steps]
    for name in sorted({*mapping.renamed, *mapping.removed} - {*names}):
        refuse(f"the other version has no step {name!r}")
    places: list[int | None] = []
    for name in names:
        place = None
        if name not in mapping.removed:
            place = saga.index.get(mapping.renamed.get(name, name))
            if place is None:
                refuse(f"it has no step {name!r}: name the step in `renamed` or in `removed`")
            if place in places:
                refuse(f"two steps of the other version become its step {saga.rows[place].name!r}")
            if saga.rows[place].name in mapping.added:
                refuse(f"its step {saga.rows[place].name!r} is in `added`, and was there before")
        places.append(place)
    for place, row in enumerate(saga.rows):
        if place not in places and row.name not in mapping.added:
            refuse(f"the other version has no step {row.name!r}: name the step in `added`")
    return places
