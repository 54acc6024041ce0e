"""Takes the pictures of the README, from a system that runs: `python -m tests.screenshots`.

It runs `order-sagas demo --http` for some minutes, so that there is a history, and the travel
agency of the examples. `--url` takes those of the demonstration from one that runs already.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from order_sagas.bridges.records.record import Outgoing
from tests.e2e.shop import Shop
from tests.support.chromium import chromium
from tests.support.cli import COMMAND
from tests.support.ports import free_port, is_listening
from tests.support.waiting import wait_until

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1080, 660
MOST_BYTES = 120_000
"""Maximum size of a picture."""
TRAFFIC, RATE = 720, 4
"""Number of orders, and how many a second, before the picture of the overview."""
MINUTES = 5.0
"""Usual time for which the demonstration runs before its pictures are taken."""


@contextmanager
def demonstration(minutes: float) -> Iterator[str]:
    """Yield the URL of a demonstration that has run for so many minutes."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        place = ["--keep", directory, "--http", f"127.0.0.1:{port}"]
        process = subprocess.Popen([*COMMAND, "demo", *place], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: is_listening(port), "the demonstration to serve")
            time.sleep(60 * minutes)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait()


def take(page: Page, name: str, directory: Path) -> None:
    """Store what the page shows, and refuse a picture that is too large."""
    path = directory / f"{name}.png"
    page.screenshot(path=path)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")
    print(path, path.stat().st_size)


def take_overview(page: Page, shop: Shop, directory: Path) -> None:
    """Take the overview of a shop with live traffic, stuck orders, a dead letter and a pause."""
    shop.load(PEN=10_000)
    page.goto(shop.url)
    shop.provider.is_down, shop.provider.frozen = True, "WEB-001"
    for number in range(14):
        line = {"sku": "CLOCK-1987", "quantity": 1, "unitPrice": 8900}
        shop.order(f"WEB-{number:04}", lines=[line])
    shop.put([Outgoing("payment-events", 0, b"WEB-0100", b'{"orderId": "WEB-0100"}', ())])
    shop.ask("services/notifications/pause", why="the mail server is being replaced")
    for number in range(TRAFFIC):
        shop.order(f"WEB-{1000 + number}", customerId=f"C-{number}")
        page.wait_for_timeout(1000 / RATE)
    attention = page.get_by_role("region", name="Needs attention")
    expect(attention).to_contain_text("14")
    take(page, "overview", directory)


def take_all(page: Page, demo: str, directory: Path) -> None:
    """Take the overview, the history, the definitions, and a saga that waits for a person."""
    page.goto(demo)
    page.mouse.click(1, 1)  # what is focused by a program has no ring then
    page.goto(f"{demo}#/history")
    expect(page.locator("canvas").first).to_be_visible()
    take(page, "history", directory)
    with (
        tempfile.TemporaryDirectory() as place,
        Shop(Path(place), quick=True, history=True) as shop,
    ):
        take_overview(page, shop, directory)
    with (
        tempfile.TemporaryDirectory() as place,
        Shop(Path(place), app="examples.travel.app:APP") as shop,
    ):
        for number in range(1, 30):
            shop.begin(
                "book-trip",
                f"T-{number}",
                travellers=1 + number % 4,
                nights=number % 3,
                card="4242" if number % 5 else "declined",
                car=number % 2 == 0,
                insured=number % 3 > 0,
            )
        shop.begin("book-trip", "T-42", travellers=3, nights=1, card="4242", car=True, insured=True)
        page.goto(f"{shop.url}#/sagas/book-trip%2FT-42")
        expect(page.locator(".waits")).to_contain_text("TRIP_APPROVED")
        expect(page.locator(".message").first).to_be_visible()
        take(page, "saga", directory)
        page.goto(f"{shop.url}#/definitions?saga=book-trip")
        expect(page.get_by_role("row", name="charge card")).to_contain_text("%")
        take(page, "definition", directory)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="time before the pictures")
    parser.add_argument("--url", default="", help="a demonstration that runs already")
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB", color_scheme="light"
        )
        if args.url:
            take_all(page, args.url, args.directory)
        else:
            with demonstration(args.minutes) as url:
                take_all(page, url, args.directory)
        browser.close()


if __name__ == "__main__":
    main()
