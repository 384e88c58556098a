"""The declared pairs hang together."""

from __future__ import annotations

import csv
from collections import Counter

import msgspec
import pytest

from benchmarks.delta.packages import Reference
from benchmarks.delta.pairs import ClosureTree, Gzipped, Head, Mark, PackageTree, UnpackedKernel, WheelTree, declared
from benchmarks.delta.trees import LOCKS

DECLARED = declared()
TUNED = {
    "django",
    "greatfet",
    "grub-arm64",
    "image-arm64",
    "initramfs-gz",
    "libjvm",
    "mods-head",
    "moondancer",
    "rootfs-sec",
    "selftest",
    "vmlinux",
    "zones",
}


def test_pairs_name_images_and_images_name_trees():
    """Every name leads to a declaration, and every declaration is reached."""
    reached = {name for pair in DECLARED.pair for name in (pair.old, pair.new)}
    reached |= {
        recipe.image for recipe in DECLARED.image.values() if isinstance(recipe, Head | UnpackedKernel | Gzipped)
    }
    trees = {recipe.tree for recipe in DECLARED.image.values() if hasattr(recipe, "tree")}
    wheels = {wheel for tree in DECLARED.tree.values() if isinstance(tree, WheelTree) for wheel in tree.wheels}

    assert reached == set(DECLARED.image)
    assert trees == set(DECLARED.tree)
    assert wheels == set(DECLARED.wheel)


def test_the_split_is_what_it_was():
    """Pairs that were tuned on stay marked, and there are held-out ones of many kinds."""
    marks = Counter(pair.mark for pair in DECLARED.pair)

    assert {pair.name for pair in DECLARED.pair if pair.mark is Mark.TUNED} == TUNED
    assert marks[Mark.HELD_OUT] >= 8
    assert len({pair.name for pair in DECLARED.pair}) == len(DECLARED.pair)


def test_versions_are_pinned():
    """Each package has one version, each wheel a digest, each closure a lock with the columns that trees name."""
    for tree in DECLARED.tree.values():
        if isinstance(tree, PackageTree):
            assert all(Reference.parse(text).version for text in tree.packages)
        if isinstance(tree, ClosureTree):
            with (LOCKS / f"{tree.closure}.tsv").open(newline="") as file:
                assert all(row["package"] and row[tree.column] for row in csv.DictReader(file, delimiter="\t"))
    assert all(len(bytes.fromhex(wheel.sha256)) == 32 for wheel in DECLARED.wheel.values())


@pytest.mark.parametrize("text", ["linux", "linux:amd64", "linux=1.0", "linux:amd64=1.0;rm", "linux:amd64="])
def test_a_package_without_version_or_architecture_is_refused(text):
    """A pair that is not pinned would be another one tomorrow."""
    with pytest.raises(ValueError, match="is no NAME:ARCHITECTURE=VERSION"):
        Reference.parse(text)


def test_an_unknown_key_is_an_error(tmp_path):
    """A misspelt setting does not quietly build another image."""
    path = tmp_path / "pairs.toml"
    path.write_text(
        'pair = []\nclosure = {}\nwheel = {}\ntree = {}\n[image.x]\nrecipe = "head"\nimage = "y"\nlenght = 3\n'
    )

    with pytest.raises(msgspec.ValidationError, match="lenght"):
        declared(path)


def test_a_pair_that_nobody_declared_is_named():
    """`--only` with a slip says which name it is."""
    with pytest.raises(KeyError, match="vmlinx"):
        list(DECLARED.chosen(frozenset({"vmlinux", "vmlinx"})))
