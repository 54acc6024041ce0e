"""How sagas in flight of one version of a definition go on as sagas of another one."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NoReturn

import attrs

from order_sagas.actors.errors import DefinitionError


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


def check_mappings(
    saga: str, own: int, steps: Collection[str], mappings: Mapping[int, StepMapping]
) -> None:
    """Raise DefinitionError if a mapping of version `own` names a step that is not in `steps`."""
    for version, mapping in mappings.items():

        def refuse(rule: str, version: int = version) -> NoReturn:
            raise DefinitionError(f"saga {saga!r}: `migrates` from version {version}: {rule}")

        if version == own:
            refuse("it is the version of the definition itself")
        for name in sorted({*mapping.renamed.values(), *mapping.added} - {*steps}):
            refuse(f"version {own} has no step {name!r}")
        for name in sorted(mapping.required - mapping.added):
            refuse(f"{name!r} is in `required` and not in `added`")
        for name in sorted(mapping.added & {*mapping.renamed.values()}):
            refuse(f"{name!r} is in `added`, and another step is renamed to it")
        if len({*mapping.renamed.values()}) < len(mapping.renamed):
            refuse("two steps are renamed to one")
