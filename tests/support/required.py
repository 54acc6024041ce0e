"""What a machine does not have: a reason to skip, or a failure where it is required."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(variable: str, reason: str) -> NoReturn:
    """Skip the test with the reason; fail it where the environment has `variable=1`."""
    if os.environ.get(variable) == "1":
        pytest.fail(f"{reason} {variable}=1 asks for it.", pytrace=False)
    pytest.skip(reason)
