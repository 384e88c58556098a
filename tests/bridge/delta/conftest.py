"""Files for the tests of the maker."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bridge.delta.image_file import open_image
from bridge.delta.moves import Images
from tests.bridge.delta.pairs import Pair


@pytest.fixture
def pair_of(tmp_path):
    """Makes a `Pair` of the bytes of two images."""

    def make(old, new):
        paths = tmp_path / "old.img", tmp_path / "new.img"
        for path, data in zip(paths, (old, new), strict=True):
            path.write_bytes(data)
        return Pair(*paths, tmp_path / "delta")

    return make


@pytest.fixture
def images_of(tmp_path):
    """Makes open `Images` of the bytes of two images."""
    with ExitStack() as stack:

        def make(old, new):
            paths = tmp_path / "old.bin", tmp_path / "new.bin"
            for path, data in zip(paths, (old, new), strict=True):
                path.write_bytes(data)
            return Images(*(stack.enter_context(open_image(path)) for path in paths))

        yield make
