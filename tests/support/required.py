"""Skips tests whose requirements are missing, or fails them if these are required."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(variable: str, reason: str) -> NoReturn:
    """Skip the test with a reason, or fail it if the environment has `variable=1`."""
    if os.environ.get(variable) == "1":
        pytest.fail(f"{reason} {variable}=1 asks for it.", pytrace=False)
    pytest.skip(reason)
