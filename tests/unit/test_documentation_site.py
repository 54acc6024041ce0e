"""The documentation site is built without a warning, and its pages load nothing from elsewhere."""

import re
from pathlib import Path

import pytest
from sphinx.cmd.build import main as sphinx_build

from tests.support.markdown import PAGES, ROOT

pytestmark = pytest.mark.xdist_group("documentation site")  # it is built once

LOADED = re.compile(r'(?:src|<link[^>]+href)="(https?:)?//[^"]+"')


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site."""
    folder: Path = tmp_path_factory.mktemp("site")
    arguments = ["-q", "-W", "--keep-going", "-c", str(ROOT / "docs/site"), str(ROOT), str(folder)]

    assert 0 == sphinx_build(arguments)
    return folder


def test_every_page_is_on_it(site):
    """The README and each guide, under the name of its file."""
    for page in PAGES:
        made = site / page.relative_to(ROOT).with_suffix(".html")
        assert made.is_file()


def test_no_page_loads_anything_from_another_host(site):
    """It is read offline. Links to other sites are no loading."""
    pages = [*site.rglob("*.html")]
    assert pages
    loaded = [match[0] for page in pages for match in LOADED.finditer(page.read_text("utf-8"))]
    assert [] == loaded


def test_the_search_has_an_index_that_needs_no_server(site):
    """A script, because a page that is opened as a file may load no JSON. Words are stemmed."""
    assert "compens" in (site / "searchindex.js").read_text("utf-8")
