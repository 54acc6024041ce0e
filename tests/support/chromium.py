"""Finds an installed Chromium, for tests of the dashboard."""

import os
import shutil

from tests.support.required import skip_or_fail

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Return its path. Skips the test if there is none, or fails it if REQUIRE_BROWSER=1."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        skip_or_fail(
            "REQUIRE_BROWSER",
            "There is no Chromium: on Debian, `apt-get install chromium`, "
            "or name one in the variable CHROMIUM.",
        )
    return found
