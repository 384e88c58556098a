"""Slot images: the root file system as ext4, and copies of it that differ in a few files."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.boot.cache import digest, made_once
from tests.boot.platforms import ARM64, Platform
from tests.boot.programs import run
from tests.boot.rootfs import bare_tree, tree_with_agent

SLOT_MIB = 112
BARE_MIB = 40
BLOCK = 4096
INODES = 6144
UUID = "6f746162-7269-4467-8500-000000000001"
"""Of every slot, and of the hashes in its folders, so that the same tree gives the same bytes."""
JUNK = b"this is no kernel\n" * 4096
EPOCH = "1767225600"
"""The time of everything in an image, seconds: 2026-01-01."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """What tells one release's image from another's: its name, the trouble it makes, and whether its kernel is one.

    `has_agent` is False for a release that dies before it comes to its agent: its image needs none.
    """

    release: str
    trouble: str = ""
    has_kernel: bool = True
    has_agent: bool = True

    @property
    def runs(self) -> bool:
        """Whether it comes to be proved, and keeps running."""
        return self.has_kernel and self.has_agent and not self.trouble

    def changes(self, platform: Platform) -> dict[str, bytes]:
        """The files that are written over those of the tree."""
        made = {"etc/release": f"{self.release}\n".encode()}
        if self.trouble:
            made["etc/trouble"] = f"{self.trouble}\n".encode()
        return made if self.has_kernel else {**made, platform.kernel_file: JUNK}


def slot_image(flavour: Flavour, platform: Platform = ARM64) -> Path:
    """The image of `flavour`, made once. Raises: ProgramFailed."""
    blank = _blank(flavour, platform)
    changes = flavour.changes(platform)
    origin = digest([blank.name, *(part for name in sorted(changes) for part in (name, changes[name]))])
    name = f"slot-{platform.architecture}-{flavour.release}"
    return made_once(name, origin, lambda image: _vary(blank, image, changes))


def _blank(flavour: Flavour, platform: Platform) -> Path:
    whole = flavour.has_agent
    tree, mib = (tree_with_agent(platform), SLOT_MIB) if whole else (bare_tree(platform), BARE_MIB)
    name = f"{'whole' if whole else 'part'}-{platform.architecture}"
    return made_once(name, digest([tree.name, str(mib)]), lambda image: file_system(image, mib, tree))


def file_system(image: Path, mib: int, tree: Path | None = None, *, journal: bool = False) -> None:
    """An ext4 of `mib` MiB that holds `tree`. Without a journal it suits a slot: read-only, ever the same."""
    features = "^metadata_csum" if journal else "^has_journal,^metadata_csum"
    content = ("-d", tree) if tree else ()
    same = ("-U", UUID, "-E", f"hash_seed={UUID},root_owner=0:0,lazy_itable_init=0")
    made = ("-t", "ext4", "-b", str(BLOCK), "-O", features, "-m", "0", "-N", str(INODES))
    options = ("-q", "-F", *made, *same, *content)
    run("mke2fs", *options, image, f"{mib}M", environment={"E2FSPROGS_FAKE_TIME": EPOCH})


def _vary(blank: Path, image: Path, changes: dict[str, bytes]) -> None:
    shutil.copyfile(blank, image)
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for number, (name, content) in enumerate(changes.items()):
            source = Path(folder, str(number))
            source.write_bytes(content)
            lines += [f"rm {name}", f"write {source} {name}"]
        run("debugfs", "-w", "-f", "-", image, given="\n".join(lines), environment={"E2FSPROGS_FAKE_TIME": EPOCH})
