"""A browser, shops, and pages that may not complain."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.shop import Shop
from tests.support.chromium import chromium
from tests.support.waiting import TIMEOUT

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"

expect.set_options(timeout=TIMEOUT * 500)


# Not of the session: while it is open, Playwright's event loop counts as running in this thread,
# and `asyncio.run` fails in every other test that the same process has after those of the page.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop where all goes well."""
    with Shop(tmp_path) as shop:
        yield shop


@pytest.fixture
def quick_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop where deadlines pass soon."""
    with Shop(tmp_path, quick=True) as shop:
        yield shop


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens pages; what they showed at the end is kept as a picture.

    A page fails its test if a script of it fails, or if it does what its policy forbids. That an
    answer was an error is said by the page itself, and so is that there was none.
    """
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    with ExitStack() as stack:
        pages: list[Page] = []

        def open_page(url: str, **options: Any) -> Page:
            viewport = options.pop("viewport", {"width": 1280, "height": 860})
            who = options.pop("who", "local")
            context = browser.new_context(viewport=viewport, locale="en-GB", **options)
            if who:  # who asks is known from an earlier visit
                context.add_init_script(f"localStorage.setItem('order-sagas.who', '{who}')")
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT * 500)
            page.on("console", heard)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(url)
            pages.append(page)
            return page

        yield open_page
        ARTIFACTS.mkdir(exist_ok=True)
        for number, page in enumerate(pages):
            page.screenshot(path=ARTIFACTS / f"{request.node.name}-{number}.png")
    assert [] == complaints
