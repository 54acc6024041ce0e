"""What the page is made of, and how it is served."""

import re

import httpx
import pytest

from order_sagas.bridges.http.dashboard.static_files import FILES

# Beside the tests that share one browser, and their conftest: on one worker.
pytestmark = pytest.mark.xdist_group("browser")

SOURCES = sorted(each for each in FILES.iterdir() if each.suffix in (".js", ".html", ".css"))


def test_the_page_may_load_nothing_but_its_own(shop):
    """Nothing inline, nothing of another place; nor is an answer kept anywhere."""
    answer = httpx.get(shop.url)
    parts = answer.headers["content-security-policy"].split("; ")
    policy = dict(part.split(" ", 1) for part in parts)

    assert 200 == answer.status_code
    assert "'none'" == policy["default-src"]
    assert "'self'" == policy["script-src"] == policy["style-src"] == policy["connect-src"]
    assert "'script'" == policy["require-trusted-types-for"]
    assert "no-store" == answer.headers["cache-control"]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_no_file_makes_markup_or_looks_elsewhere(file):
    """Text becomes markup nowhere, and every address is one of the server's own."""
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|<style| style="

    assert [] == re.findall(rf"{markup}|\beval\(|https?://", text)


def test_files_say_what_they_are(shop):
    """Modules are JavaScript to a browser only if the server says so."""
    names = ("main.js", "style.css", "icon.svg")
    kinds = [httpx.get(f"{shop.url}page/{name}").headers["content-type"] for name in names]
    bare = [kind.split(";")[0] for kind in kinds]

    assert ["text/javascript", "text/css", "image/svg+xml"] == bare


def test_nothing_but_the_page_is_in_reach(shop):
    """No path leads out of its directory, and what is not there is a problem like any other."""
    answers = [httpx.get(f"{shop.url}page/{name}") for name in ("none.js", "..%2fapp.py", "")]

    assert [404, 404, 404] == [answer.status_code for answer in answers]
    assert "application/problem+json" == answers[0].headers["content-type"]
