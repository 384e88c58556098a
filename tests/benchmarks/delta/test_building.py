"""Images come from packages the same way each time, and what cannot be had is named."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

import lz4.block
import pytest

from benchmarks.delta.building import Cache, Unbuilt
from benchmarks.delta.images import make, unpacked_kernel
from benchmarks.delta.pairs import Cpio, Declared, Ext4, Head, Member, PackageTree, Pair, Sqlite, Squashfs, Tar

APT = """#!/bin/sh
case "$0 $*" in
  *madison*) echo " valve | 2.0-1 | http://archive bookworm/main amd64 Packages" ;;
  *download*valve=2.0-1*) cp "$OTABRIDGE_DEB" valve_2.0-1_amd64.deb ;;
esac
"""


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of one package, `valve` 2.0-1, behind an apt that answers for it."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no program dpkg-deb")
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(
        "Package: valve\nVersion: 2.0-1\nArchitecture: amd64\nMaintainer: a <a@b>\nDescription: v\n"
    )
    (package / "firmware.bin").write_bytes(b"\x01\x02" * 500)
    subprocess.run(["dpkg-deb", "--build", "-Znone", package, tmp_path / "valve.deb"], check=True, capture_output=True)
    for program in ("apt-get", "apt-cache"):
        (tmp_path / program).write_text(APT)
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("OTABRIDGE_DEB", str(tmp_path / "valve.deb"))
    return tmp_path


def valve(version: str) -> Declared:
    """One image of one file of `valve`, and its first bytes."""
    tree = PackageTree((f"valve:amd64={version}",))
    images = {"valve": Member("valve", "firmware.*"), "head": Head("valve", 100)}
    return Declared({}, {"valve": tree}, {}, images, (Pair("valve", "given", "firmware", "head", "valve"),))


def test_a_pair_is_built_once(archive):
    """The second time nothing is fetched: the archive may have dropped it."""
    declared = valve("2.0-1")
    old, new = Cache.at(archive / "cache", declared).pair(declared.pair[0])
    (archive / "apt-get").unlink()
    (archive / "apt-cache").unlink()

    assert (old.read_bytes(), new.read_bytes()) == (b"\x01\x02" * 50, b"\x01\x02" * 500)
    assert Cache.at(archive / "cache", declared).pair(declared.pair[0]) == (old, new)


def test_another_declaration_is_built_anew(archive):
    """An image that was made of something else is not taken for it."""
    Cache.at(archive / "cache", valve("2.0-1")).image("head")
    shorter = valve("2.0-1")
    shorter.image["head"] = Head("valve", 10)

    assert len(Cache.at(archive / "cache", shorter).image("head").read_bytes()) == 10


def test_a_package_that_left_the_archive_is_named_with_what_there_is(archive):
    """Whoever reads it knows what to pin instead."""
    with pytest.raises(Unbuilt) as error:
        Cache.at(archive / "cache", valve("1.0-1")).image("valve")

    assert str(error.value) == "valve 1.0-1 left the archive, which has 2.0-1"


@pytest.fixture
def tree(tmp_path):
    """A small root file system: a program, a link to it, a folder."""
    folder = tmp_path / "tree"
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/tool").write_bytes(b"tool" * 3000)
    (folder / "usr/bin/link").symlink_to("tool")
    (folder / "etc").mkdir()
    (folder / "etc/name").write_text("valve\n")
    return folder


@pytest.mark.parametrize(
    ("recipe", "program"),
    [
        (Ext4("tree", 4, built=1750000000), "mke2fs"),
        (Squashfs("tree", ("-comp", "gzip")), "mksquashfs"),
        (Cpio("tree"), "cpio"),
        (Tar("tree"), "tar"),
        (Sqlite("tree", "usr"), "true"),
    ],
    ids=["ext4", "squashfs", "cpio", "tar", "sqlite"],
)
def test_an_image_is_the_same_whenever_it_is_made(recipe, program, tree, tmp_path):
    """Neither the time of making nor the order of the folder's entries leaves a trace."""
    if shutil.which(program) is None:
        pytest.skip(f"no program {program}")
    source = tree / getattr(recipe, "under", ".") if isinstance(recipe, Squashfs) else tree
    make(recipe, source, tmp_path / "first")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", source, copy], check=True)
    shutil.move(copy / "usr/bin/tool", copy / "usr/bin/aside")
    shutil.move(copy / "usr/bin/aside", copy / "usr/bin/tool")
    os.utime(copy / "usr/bin", ns=((source / "usr/bin").stat().st_atime_ns, (source / "usr/bin").stat().st_mtime_ns))
    make(recipe, copy, tmp_path / "second")

    first, second = (hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("first", "second"))
    assert first == second


def test_a_kernel_is_unpacked_from_its_boot_image():
    """Blocks of 8 MiB, each with its length before it, the length of the whole at the end."""
    kernel = b"\x7fELF" + bytes(range(256)) * 40000
    packed = b"\x02\x21\x4c\x18"
    for start in range(0, len(kernel), 8 << 20):
        block = lz4.block.compress(kernel[start : start + (8 << 20)], store_size=False)
        packed += len(block).to_bytes(4, "little") + block
    packed += len(kernel).to_bytes(4, "little")
    boot = bytearray(5 * 512)
    boot[0x1F1], boot[0x248:0x24C], boot[0x24C:0x250] = 3, bytes(4), len(packed).to_bytes(4, "little")

    assert unpacked_kernel(bytes(boot[:2048]) + packed) == kernel


def test_a_kernel_that_is_packed_otherwise_is_refused():
    """Rather than half unpacked."""
    with pytest.raises(ValueError, match="is not packed with LZ4"):
        unpacked_kernel(bytes(4096))
