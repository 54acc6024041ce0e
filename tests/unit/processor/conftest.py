"""Parts of a processor on a database of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processor_parts import ProcessorParts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[ProcessorParts]:
    """Parts that share a store."""
    made = ProcessorParts(tmp_path)
    yield made
    made.store.close()
