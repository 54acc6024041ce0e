"""Keeps tests of one `xdist_group` in one worker.

pytest-xdist 3.8 appends the group to an attribute that pytest has not read for a test's id since
9.2, so that its `--dist loadgroup` knows no groups. Here the id itself gets the group.
"""

from typing import Any

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Append `@group` to the ids of tests, in workers of a run with `--dist loadgroup`."""
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
        suffix = f"@{'_'.join(sorted(groups))}"
        if groups and not item.nodeid.endswith(suffix):
            grouped: Any = item
            grouped._id = type(grouped.id).parse(item.nodeid + suffix)
