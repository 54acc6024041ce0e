"""What the fields of a definition have to be: message classes, durations, lists."""

import inspect
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message


def shown(given: Any) -> str:
    """A wrong value in the text of an error, shortened."""
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if inspect.isfunction(given):
        return f"the function {given.__name__}"
    if type(given).__module__ != "builtins":
        return f"{type(given).__name__}(...)"
    return reprlib.repr(given)


def is_message(given: Any) -> bool:
    """True for a message class."""
    return isinstance(given, type) and issubclass(given, Message)


def check_message(what: str, given: Any) -> None:
    """Raise DefinitionError, which begins with `what`, for anything but a message class."""
    if not is_message(given):
        raise DefinitionError(
            f"{what} must be a message class, a subclass of Message, not {shown(given)}"
        )


def check_duration(what: str, given: Any) -> None:
    """Raise DefinitionError, which begins with `what`, unless it is a positive number."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise DefinitionError(
            f"{what} must be a number of seconds, such as seconds(30) or minutes(5), "
            f"not {shown(given)}"
        )
    if not given > 0:
        raise DefinitionError(f"{what} must be positive, not {given}")


def check_text(what: str, given: Any) -> None:
    """Raise DefinitionError, which begins with `what`, for anything but a text."""
    if not isinstance(given, str):
        raise DefinitionError(f"{what} must be a text, not {shown(given)}")


def list_of(words: str, fits: Callable[[Any], bool], what: str, given: Any) -> tuple[Any, ...]:
    """Return the items of a list, all of which `fits` accepts and `words` describe.

    Raises DefinitionError, which begins with `what`, for another item, and for no list.
    """
    if isinstance(given, str) or not isinstance(given, Iterable) or isinstance(given, type):
        raise DefinitionError(f"{what} must be a list of {words}, not {shown(given)}")
    found = tuple(given)
    for each in found:
        if not fits(each):
            raise DefinitionError(f"{what} must be a list of {words}; {shown(each)} is none")
    return found
