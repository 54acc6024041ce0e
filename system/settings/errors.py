"""The error of an invalid setting."""

from typing import Any


class SettingError(ValueError):
    """A setting has an invalid value, or does not exist. The message names setting and source."""

    def __init__(self, name: str, source: str, problem: str) -> None:
        super().__init__(f"{name} ({source}): {problem}")
        self.name = name
        """The setting, e.g. `batch_size`; for an unknown one, the name as it was written."""
        self.source = source
        """Where the value came from, e.g. `environment ORDER_SAGAS_BATCH_SIZE`."""
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.source, self.problem)
