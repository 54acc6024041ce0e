"""Sagas on an actor runtime: the public names for sagas and services of your own.

The names are those of `order_sagas.actors`, and are loaded at their first use, so that a command
that needs none of them starts fast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from order_sagas.actors import *  # noqa: F403  # for type checkers: the names that are lazy here


def __getattr__(name: str) -> Any:
    """Load a public name, or `__all__`. Raises AttributeError for any other."""
    from order_sagas import actors

    if name == "__all__":
        found: Any = actors.__all__
    elif name in actors.__all__:
        found = getattr(actors, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
