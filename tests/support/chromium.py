"""A Chromium of the machine's own, for tests of the page."""

import os
import shutil

from tests.support.required import skip_or_fail

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Its path; skips the test where there is none, or fails it if REQUIRE_BROWSER=1."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        skip_or_fail(
            "REQUIRE_BROWSER",
            "There is no Chromium: on Debian, `apt-get install chromium`, "
            "or name one in the variable CHROMIUM.",
        )
    return found
