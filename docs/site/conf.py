"""Settings of the documentation site, which Sphinx makes of the Markdown files of the repository.

`make docs` builds it. The pages load nothing from other hosts, and the search works from files.
"""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
_setup = ConfigParser()
_setup.read(ROOT / "setup.cfg", encoding="utf-8")

project = "order-sagas"
version = release = _setup["metadata"]["version"]
author = "order-sagas authors"
extensions = ["myst_parser"]
root_doc = "docs/site/index"
include_patterns = ["*.md", "docs/**.md"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"order-sagas {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# Links to files that are no pages (Python, YAML) stay as they are in the repository.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]
