"""Checks of states of the page: a screenshot of each, and no problem found by axe."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

_axe = Axe()


def seen(page: Page, name: str) -> None:
    """Save a screenshot of the page under this name; fail if axe finds a problem in the page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    found = _axe.run(page)

    assert 0 == found.violations_count, f"{name}: {found.generate_report()}"
