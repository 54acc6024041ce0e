"""The files of the page, and the headers they are served with."""

import re

import httpx
import pytest

from order_sagas.bridges.http.dashboard.static_files import FILES

# On the xdist worker of the tests that share one browser, because of their conftest.
pytestmark = pytest.mark.xdist_group("browser")

SOURCES = sorted(each for each in FILES.iterdir() if each.suffix in (".js", ".html", ".css"))


def test_the_page_may_load_only_its_own_files(shop):
    """No inline scripts, no other origins, and responses are not cached."""
    answer = httpx.get(shop.url)
    parts = answer.headers["content-security-policy"].split("; ")
    policy = dict(part.split(" ", 1) for part in parts)

    assert 200 == answer.status_code
    assert "'none'" == policy["default-src"]
    assert "'self'" == policy["script-src"] == policy["style-src"] == policy["connect-src"]
    assert "'script'" == policy["require-trusted-types-for"]
    assert "no-store" == answer.headers["cache-control"]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_no_file_makes_markup_of_text_or_uses_another_origin(file):
    """No script turns text into markup, and every address belongs to the server itself."""
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|<style| style="

    assert [] == re.findall(rf"{markup}|\beval\(|https?://", text)


def test_files_have_their_content_type(shop):
    """A browser runs a module only if its content type is that of JavaScript."""
    names = ("main.js", "style.css", "icon.svg")
    kinds = [httpx.get(f"{shop.url}page/{name}").headers["content-type"] for name in names]
    bare = [kind.split(";")[0] for kind in kinds]

    assert ["text/javascript", "text/css", "image/svg+xml"] == bare


def test_only_the_files_of_the_page_are_served(shop):
    """No path leads out of its directory, and a missing file is answered with problem details."""
    answers = [httpx.get(f"{shop.url}page/{name}") for name in ("none.js", "..%2fapp.py", "")]

    assert [404, 404, 404] == [answer.status_code for answer in answers]
    assert "application/problem+json" == answers[0].headers["content-type"]


MOST_BYTES = 150_000
"""Maximum size of the page in bytes: all files that a browser loads, as served, without fonts."""


def test_the_page_is_small(shop):
    """Compressed as for a browser, with every script, the chart library and the styles."""
    total, names = 0, [""] + [f"page/{name}" for name in files_of(FILES)]
    with httpx.Client(headers={"Accept-Encoding": "gzip"}) as client:
        for name in names:
            with client.stream("GET", shop.url + name) as answer:
                assert 200 == answer.status_code
                total += sum(len(chunk) for chunk in answer.iter_raw())

    assert len(names) > 40
    assert total < MOST_BYTES


def test_a_client_that_takes_no_gzip_gets_the_file_as_it_is(shop):
    """Both responses have `Vary: Accept-Encoding`."""
    url = f"{shop.url}page/main.js"
    asked = ("identity", "gzip;q=0", "gzip", "br, gzip;q=0.5")
    answers = [httpx.get(url, headers={"Accept-Encoding": each}) for each in asked]
    encodings = [answer.headers.get("content-encoding") for answer in answers]
    script = (FILES / "main.js").read_text(encoding="utf-8")

    assert [None, None, "gzip", "gzip"] == encodings
    assert {script} == {answer.text for answer in answers}
    assert {"Accept-Encoding"} == {answer.headers["vary"] for answer in answers}
    assert 2 == len({answer.headers["etag"] for answer in answers})


def files_of(directory):
    """The files of the page, by their paths below `directory`."""
    return sorted(
        str(each.relative_to(directory))
        for each in directory.rglob("*")
        if each.is_file() and each.suffix != ".LICENSE"
    )


def test_vendored_files_come_with_their_licences():
    """The licence is beside the file, the file is unchanged, and makes no markup of text."""
    vendor = FILES / "vendor"
    licence = (vendor / "uPlot.LICENSE").read_text()
    code = (vendor / "uPlot.js").read_text(encoding="utf-8")

    assert "MIT License" in licence
    assert "Leon Sorokin" in licence
    assert code.startswith("/*! https://github.com/leeoniya/uPlot (v1.6.")
    assert [] == re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", code
    )
