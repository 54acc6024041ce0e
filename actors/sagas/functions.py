"""The functions of a definition: how many arguments they take, found when it is built."""

import inspect
from collections.abc import Callable
from typing import Any

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.field_checks import shown


def takes(function: Callable[..., Any] | None, what: str) -> int:
    """The number of positional arguments that a function is called with; 0 for no function.

    Arguments with a default are not counted, unless there are no others. A callable that has no
    signature, such as an `attrgetter`, takes one. Raises DefinitionError, which begins with `what`,
    if the function is not callable or needs keyword arguments.
    """
    if function is None:
        return 0
    if not callable(function):
        raise DefinitionError(f"{what} must be a function, not {shown(function)}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return 1
    needed = optional = 0
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty:
            raise DefinitionError(f"{what} needs the keyword argument {each.name!r}, and gets none")
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD):
            needed += each.default is each.empty
            optional += each.default is not each.empty
        optional += each.kind is each.VAR_POSITIONAL
    if not needed and not optional:
        raise DefinitionError(f"{what} takes no argument, and gets the message of the start")
    return max(needed, 1)


def check_takes(what: str, count: int, *accepted: str) -> None:
    """Raise DefinitionError unless a function takes as many arguments as one of `accepted`.

    `accepted` are lists of arguments in words, such as "start, replies". 0 is no function.
    """
    counts = [words.count(",") + 1 for words in accepted]
    if count and count not in counts:
        known = " or ".join(f"({words})" for words in accepted)
        raise DefinitionError(f"{what} takes {count} arguments; it must take {known}")
