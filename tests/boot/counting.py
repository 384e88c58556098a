"""A U-Boot that counts boots itself, built as an integrator does it: the source that Debian's u-boot is made from, its
configuration for QEMU's arm64 board, and the two files that this project ships for such a U-Boot.

None of Debian's patches is applied: none touches what counts, chooses or starts a slot, and the archive that has them
goes away with each update of the package.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tests.boot.board import SCRIPT
from tests.boot.cache import cache_folder, digest, made_once, path_of_made
from tests.boot.debian import mirror
from tests.boot.programs import APT_HELPER, ProgramFailed, run

SOURCE = "pool/main/u/u-boot/u-boot_2023.01+dfsg.orig.tar.xz"
SHA256 = "e75da6f089d063aaef39a1c17f1631791d87700662624e18de2121fa39a1ed44"
SHIPPED = (SCRIPT.with_name("bootcount.config"), SCRIPT.with_name("bootcount.env"))
BOARD_CONFIG = Path(__file__).with_suffix(".config")
DEFCONFIG = "qemu_arm64_defconfig"
BOARD_ENVIRONMENT = "board/emulation/qemu-arm/otabridge.env"
"""Where U-Boot looks for what CONFIG_ENV_SOURCE_FILE names."""
VARIABLES = {
    "CROSS_COMPILE": "aarch64-linux-gnu-",
    "KCPPFLAGS": "-DCONFIG_SYS_EARLY_PCI_INIT",
    "SOURCE_DATE_EPOCH": "1767225600",
}
"""PCI comes before the environment is read, since it is on a card behind PCI; the same source gives the same bytes."""
NAME = "uboot-counting"
NICE = "15"
STEP = 100
"""Lines of make's output between two words to the person who waits."""
TAIL = 12
SETTING = re.compile(r"^(?:(CONFIG_\w+)=.*|# (CONFIG_\w+) is not set)$")

Tell = Callable[[str], None]


def firmware(tell: Tell) -> Path:
    """U-Boot for QEMU, made once; `tell` hears how that goes. Raises: ProgramFailed."""
    return made_once(NAME, _origin(), lambda image: _build(image, tell))


def built() -> Path | None:
    """The same, None where it was not made yet."""
    return path_of_made(NAME, _origin())


def _origin() -> str:
    files = (*SHIPPED, BOARD_CONFIG)
    return digest([SHA256, DEFCONFIG, repr(VARIABLES), *(path.read_bytes() for path in files)])


def _build(image: Path, tell: Tell) -> None:
    archive = made_once("source-of-uboot", SHA256, lambda path: _fetch(path, tell))
    tell("a U-Boot that counts boots itself is built once: some minutes of processor time")
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as folder:
        tree = Path(folder)
        run("tar", "--extract", "--file", archive, "--directory", tree, "--strip-components=1")
        _configure(tree)
        _compile(tree, tell)
        (tree / "u-boot.bin").rename(image)


def _fetch(path: Path, tell: Tell) -> None:
    address = f"{mirror().rstrip('/')}/{SOURCE}"
    tell(f"fetching {address}, 16 MB")
    run(str(APT_HELPER), "download-file", address, path, f"SHA256:{SHA256}")


def _configure(tree: Path) -> None:
    """As how-to/prepare-the-boot-loader.md says. Raises: ProgramFailed where U-Boot drops a line of what is merged."""
    config, environment = SHIPPED
    (tree / BOARD_ENVIRONMENT).write_bytes(environment.read_bytes())
    _make(tree, DEFCONFIG)
    merge = ("scripts/kconfig/merge_config.sh", "-m", ".config", config, BOARD_CONFIG)
    run("env", "-C", tree, *merge, environment=VARIABLES)
    _make(tree, "olddefconfig")
    made = (tree / ".config").read_text()
    lost = [line for path in (config, BOARD_CONFIG) for line in dropped(path.read_text(), made)]
    if lost:
        raise ProgramFailed(f"U-Boot's configuration does not have {', '.join(lost)}")


def dropped(wanted: str, made: str) -> list[str]:
    """The settings of the fragment `wanted` that the configuration `made` does not have, as it has them. What is
    to be off may be missing."""
    has = set(made.splitlines())
    settings = (line for line in wanted.splitlines() if SETTING.match(line))
    return [line for line in settings if line not in has and not _off_in(line, has)]


def _off_in(line: str, has: set[str]) -> bool:
    name = SETTING.sub(r"\2", line)
    return bool(name) and not any(each.startswith(f"{name}=") for each in has)


def _make(tree: Path, target: str) -> None:
    run("make", "-C", tree, "-s", target, environment=VARIABLES)


def _compile(tree: Path, tell: Tell) -> None:
    began, last = time.monotonic(), deque[str](maxlen=TAIL)
    with _compiler(tree) as process:
        try:
            for number, line in enumerate(process.stdout or (), 1):
                last.append(line)
                if number % STEP == 0:
                    tell(f"  U-Boot: {number} steps, {time.monotonic() - began:.0f} s")
        except BaseException:
            process.terminate()  # who does not want to wait any longer should not have to
            raise
    if process.returncode:
        raise ProgramFailed(f"U-Boot cannot be built, make ended with {process.returncode}: {''.join(last)}")
    tell(f"  U-Boot: built, {time.monotonic() - began:.0f} s")


def _compiler(tree: Path) -> subprocess.Popen[str]:
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    command = ("nice", "-n", NICE, "make", "-C", str(tree), jobs, "u-boot.bin")
    variables = {**os.environ, **VARIABLES}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
