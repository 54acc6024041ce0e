"""Fixtures: a browser, running shops, and pages that fail their test on a script error."""

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


# Not scoped to the session: while it is open, Playwright's event loop counts as running in this
# thread, and `asyncio.run` fails in every test that the same process runs after those of the page.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop in which no step fails."""
    with Shop(tmp_path) as shop:
        yield shop


@pytest.fixture
def quick_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with short deadlines."""
    with Shop(tmp_path, quick=True) as shop:
        yield shop


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open pages in the browser, and save a screenshot of each at the end of the test.

    A test fails if its page has an uncaught error, or violates its content security policy. Failed
    requests are not counted: the page reports them itself.
    """
    errors: list[str] = []

    def record_console_error(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            errors.append(message.text)

    with ExitStack() as stack:
        pages: list[Page] = []

        def open_page(url: str, **options: Any) -> Page:
            viewport = options.pop("viewport", {"width": 1280, "height": 860})
            who = options.pop("who", "local")
            context = browser.new_context(viewport=viewport, locale="en-GB", **options)
            if who:  # the name of the operator is stored from an earlier visit
                context.add_init_script(f"localStorage.setItem('order-sagas.who', '{who}')")
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT * 500)
            page.on("console", record_console_error)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url)
            pages.append(page)
            return page

        yield open_page
        ARTIFACTS.mkdir(exist_ok=True)
        for number, page in enumerate(pages):
            page.screenshot(path=ARTIFACTS / f"{request.node.name}-{number}.png")
    assert [] == errors
