"""Lets type checkers know that every subclass of a frozen struct is frozen too.

msgspec inherits `frozen`, `kw_only` and the other options of a struct; type checkers expect them
to be repeated on each subclass, and refuse a subclass without them.
"""

from typing import TYPE_CHECKING, dataclass_transform

import msgspec

if TYPE_CHECKING:

    @dataclass_transform(
        frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
    )
    class FrozenStructMeta(msgspec.StructMeta):
        """The metaclass of structs whose subclasses are frozen and take keywords only."""

else:
    FrozenStructMeta = msgspec.StructMeta
