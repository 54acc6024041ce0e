"""A metaclass that tells type checkers that subclasses of a frozen struct are frozen too.

msgspec inherits `frozen`, `kw_only` and the other options of a struct. Type checkers expect them to
be repeated on each subclass, and report an error without them.
"""

from typing import TYPE_CHECKING, dataclass_transform

import msgspec

if TYPE_CHECKING:

    @dataclass_transform(
        frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
    )
    class FrozenStructMeta(msgspec.StructMeta):
        """Metaclass of structs whose subclasses are frozen and take keyword arguments only."""

else:
    FrozenStructMeta = msgspec.StructMeta
