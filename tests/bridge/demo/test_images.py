"""The demo's images: real file systems where mke2fs is, archives where it is not, a person's own where given."""

from __future__ import annotations

import subprocess
import tarfile

import pytest

from bridge.demo import images
from bridge.demo.boards import BROKEN
from bridge.errors import UsageError

MEGABYTE = 1 << 20


@pytest.fixture
def small(monkeypatch):
    """Images of a few megabytes."""
    monkeypatch.setattr(images, "IMAGE_BYTES", 8 * MEGABYTE)
    monkeypatch.setattr(images, "TREE_BYTES", 2 * MEGABYTE)


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(images._mke2fs() is None, reason="mke2fs is not installed")
def test_two_versions_of_a_tree_become_ext4_images(tmp_path):
    """Found in /usr/sbin too, which is not in everybody's PATH; the file system has the size asked for."""
    made = images.build(tmp_path)

    assert made.kind == "ext4"
    assert made.old.stat().st_size == made.new.stat().st_size == 8 * MEGABYTE
    assert made.old.read_bytes()[1080:1082] == b"\x53\xef"  # the superblock's magic number
    assert made.old.read_bytes() != made.new.read_bytes()


@pytest.mark.usefixtures("small")
def test_without_mke2fs_they_become_archives(tmp_path, monkeypatch):
    """The version is in both, and the update changes a few files only."""
    monkeypatch.setattr(images, "_mke2fs", lambda: None)

    made = images.build(tmp_path)

    assert made.kind == "tar"
    assert made.old.stat().st_size >= 8 * MEGABYTE
    old, new = contents(made.old), contents(made.new)
    assert b"VERSION_ID=1.0.0" in old["./etc/os-release"]
    assert b"VERSION_ID=2.0.0" in new["./etc/os-release"]
    changed = {name for name in new if new[name] != old[name]}
    assert 1 < len(changed) < len(new) / 10


def contents(image):
    """The files in an archive."""
    with tarfile.open(image) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}


def test_a_tree_is_the_same_each_time(tmp_path):
    """Otherwise no two people could compare their figures."""
    for name in ("first", "second"):
        images.copy_tree(tmp_path / name, MEGABYTE)

    done = subprocess.run(["diff", "-r", tmp_path / "first", tmp_path / "second"], check=False)
    assert done.returncode == 0


def test_mke2fs_that_fails_is_a_sentence(tmp_path, monkeypatch):
    """With what it said, and the way round it."""
    program = tmp_path / "mke2fs"
    program.write_text("#!/bin/sh\necho no space for inodes >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(images, "_mke2fs", lambda: str(program))

    with pytest.raises(UsageError, match=r"no space for inodes; bring images: --image OLD NEW"):
        images.pack(tmp_path, tmp_path / "image")


def test_given_images_are_taken_as_they_are(tmp_path, monkeypatch):
    """Relative names still hold in another folder; the broken one is the new one and a block that says so."""
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(name.encode() * MEGABYTE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    made = images.given(tmp_path.joinpath("old").relative_to(tmp_path), tmp_path / "new", scratch)

    assert (made.old, made.new, made.kind) == (tmp_path / "old", tmp_path / "new", "given")
    assert made.broken.read_bytes() == made.new.read_bytes() + BROKEN.ljust(4096, b"\0")
    assert made.room > made.broken.stat().st_size


def test_an_image_that_cannot_serve_is_named(tmp_path):
    """Too small, or not there."""
    (tmp_path / "tiny").write_bytes(b"tiny")

    for name in ("tiny", "absent"):
        with pytest.raises(UsageError, match=rf"--image .*{name}: must be a file of at least 1048576 bytes"):
            images.given(tmp_path / name, tmp_path / name, tmp_path)
