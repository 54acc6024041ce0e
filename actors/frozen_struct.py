"""A base class of structs whose subclasses are frozen and take keyword arguments only.

msgspec inherits `frozen` and the other options of a struct, but not `kw_only`, and type checkers
expect each option to be repeated on each subclass. Subclasses of `FrozenStruct` need not repeat
them: a field without a default may follow one with a default, and no argument is positional.
"""

from typing import Any, dataclass_transform

import msgspec


class FrozenStructMeta(msgspec.StructMeta):
    """Metaclass of structs whose subclasses take keyword arguments only."""

    def __new__(
        metacls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        """Make the class, with `kw_only=True` if it does not say otherwise."""
        options.setdefault("kw_only", True)
        return super().__new__(metacls, name, bases, namespace, **options)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class FrozenStruct(msgspec.Struct, metaclass=FrozenStructMeta, frozen=True):
    """Base class of structs that are frozen and take keyword arguments only."""
