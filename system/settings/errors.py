"""What is wrong with a setting, told so that it can be put right at once."""

from typing import Any


class SettingError(ValueError):
    """A setting has a value that it does not accept, or there is no such setting."""

    def __init__(self, name: str, source: str, problem: str) -> None:
        super().__init__(f"{name} ({source}): {problem}")
        self.name = name
        """The setting, e.g. `batch_size`; for an unknown one, the name as it was written."""
        self.source = source
        """Where the value came from, e.g. `environment ORDER_SAGAS_BATCH_SIZE`."""
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.source, self.problem)
