"""Modules of a kernel, in the order of their needs, and an initial RAM disk that loads some of them.

Sources: Linux, include/linux/module.h (.modinfo: `depends=` with names divided by commas) and
Documentation/driver-api/early-userspace/buffer-format.rst (the archive, "newc").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

NEEDS = re.compile(rb"\0depends=([^\0]*)\0")
FOLDER, FILE, PROGRAM, CONSOLE = 0o040755, 0o100644, 0o100755, 0o020600
CONSOLE_NUMBER = (5, 1)
END = "TRAILER!!!"
ALIGNED = 4


def modules_for(names: Sequence[str], folder: Path) -> list[Path]:
    """The files below `folder` for `names`, each after those that it needs; what is missing is built in."""
    files = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
    found: dict[Path, None] = {}
    for name in names:
        found |= dict.fromkeys(_with_needs(name.replace("-", "_"), files))
    return list(found)


def _with_needs(name: str, files: Mapping[str, Path]) -> Iterator[Path]:
    path = files.get(name)
    if path is None:
        return
    needs = NEEDS.search(path.read_bytes())
    for needed in (needs[1].decode() if needs else "").split(","):
        yield from _with_needs(needed.replace("-", "_"), files)
    yield path


def ramdisk(busybox: Path, init: Path, modules: Sequence[Path]) -> bytes:
    """An archive with `init` as its first program, `busybox` and `modules`, and their order."""
    order = "".join(f"{path.name}\n" for path in modules).encode()
    members = [
        *((name, FOLDER, b"") for name in ("bin", "dev", "modules", "proc", "root", "sys")),
        ("init", PROGRAM, init.read_bytes()),
        ("bin/busybox", PROGRAM, busybox.read_bytes()),
        ("modules/order", FILE, order),
        *((f"modules/{path.name}", FILE, path.read_bytes()) for path in modules),
    ]
    console = _member("dev/console", CONSOLE, b"", CONSOLE_NUMBER)
    return b"".join(_member(*member) for member in members) + console + _member(END, 0, b"")


def _member(name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    """Number, mode, owner, group, links, time, size, device, device of the node, length of the name, checksum."""
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNED)
