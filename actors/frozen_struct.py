"""A base class of structs whose subclasses are frozen, for type checkers too.

msgspec inherits `frozen`, but not `kw_only`: type checkers expect `frozen` to be repeated on each
subclass, and report an error without it. Subclasses of `FrozenStruct` need not repeat it. A field
without a default after one with a default needs `kw_only=True`, for checkers and at run time.

There is no metaclass that sets `kw_only`: in Python 3.11 it would make every struct slower, since
a mutable subclass of msgspec's metaclass loses its vectorcall.
"""

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class FrozenStruct(msgspec.Struct, frozen=True):
    """Base class of structs that are frozen."""
