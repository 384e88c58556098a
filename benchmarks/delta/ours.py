"""Our deltas, made by the product's own command and applied by the device's own applier, and its full image."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.delta.tools import Tool, program

REPOSITORY = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("otabridge"))
NAME = "otabridge"
"""The effort that is judged."""
EFFORTS = ("fast", "default", "max")
DECIDES = ("bridge/delta", "bridge/release/delta", "bridge/release/image.py", "bridge/large_files.py")
"""All that a patch is made by; errors apart, whose words are in no patch."""
ELSEWHERE = ("applying.py", "inspecting.py", "estimating.py")
"""Of the other commands, which make none."""


def delta(effort: str) -> Tool:
    """The tool of one effort; that of `default` is the one that is judged."""
    make = (COMMAND, "delta", "make", "{old}", "{new}", "--out", "{patch}", "--effort", effort)
    apply = program("device_applier", "{old}", "{patch}", "{new}")
    return Tool(NAME if effort == "default" else f"{NAME} {effort}", make, apply, code(*DECIDES))


def code(*places: str) -> Callable[[], str]:
    """The version, and a digest of the code that decides a patch: what was measured with other code does not count."""

    def version_of() -> str:
        files = sorted(path for place in places for path in _files(REPOSITORY / place))
        digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
        return f"otabridge {version('otabridge')}+{digest[:12]}"

    return version_of


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [each for each in place.rglob("*.py") if each.name not in ELSEWHERE]


FULL = Tool(
    f"full image, {NAME}",
    program("full_artifact", "make", "{new}", "{patch}"),
    program("device_applier", "-", "{patch}", "{new}"),
    code(*DECIDES, "bridge/images.py"),
)
"""Not a peer: what a device fetches when no delta fits."""
