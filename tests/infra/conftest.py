"""For the tests of infra/: what they need and a machine may lack, and the ones that take minutes."""

from __future__ import annotations

import pytest

SLOW = "takes minutes: `make infra` runs it, and `pytest -m slow`"


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that only the ladder runs by itself."""
    config.addinivalue_line("markers", f"slow: {SLOW}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests by name, unless markers are chosen by the person."""
    if not config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason=SLOW))
