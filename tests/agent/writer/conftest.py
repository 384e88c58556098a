"""Fixtures of the slot writer: a device whose files every user may look at, and a writer in a thread."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.writer.desk import Desk
from tests.agent.writer.split import SLOT_BYTES, SplitDevice
from tests.releases import ReleaseKit


@pytest.fixture
def kit() -> ReleaseKit:
    """An owner with one key a role."""
    return ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))


@pytest.fixture
def slot_bytes() -> int:
    """The size of a slot."""
    return SLOT_BYTES


@pytest.fixture
def split(kit: ReleaseKit, slot_bytes: int) -> Iterator[SplitDevice]:
    """A device below a folder that every user may enter; its name is short, as that of a socket has to be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield SplitDevice(folder, kit, slot_bytes)


@pytest.fixture
def desk(split: SplitDevice) -> Iterator[Desk]:
    """Its slot writer."""
    with Desk(split) as desk:
        yield desk
