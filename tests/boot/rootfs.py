"""The root file system of the guest: a kernel, Python and the agent as a wheel, some 100 MB, without an installation.

The system below the agent changes rarely and is kept in the cache; the agent is put on top anew after each change.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

from tests.boot.cache import digest, digest_of_files, made_once
from tests.boot.debian import Debian
from tests.boot.programs import run

PROJECT = Path(__file__).parents[2]
GUEST = Path(__file__).with_name("guest")
EXTRA = "device-aws"
KERNEL = ("linux-image-cloud-arm64", r"linux-image-[0-9.-]+-cloud-arm64")
"""Of Debian's kernels the cloud's have NVMe and ext4 built in, so that no initramfs is needed."""
PACKAGES = (
    "busybox-static",
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",
    "libubootenv-tool",
    "libubootenv0.1",
    "libuuid1",
    "libyaml-0-2",
    "python3.11-minimal",
    "zlib1g",
)
MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/watchdog/watchdog",
    "drivers/watchdog/softdog",
)
"""Below `kernel` of the kernel's modules, in the order of their needs; those that are missing are built in."""
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64")
FOLDERS = ("boot", "data", "dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "lib/guest-modules")
PYTHON = "3.11"
SITE = "opt/otabridge"
"""Where wheels are unpacked; `guest/init.sh` names it in PYTHONPATH."""
UNUSED = (
    "usr/lib/aarch64-linux-gnu/gconv",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/pydoc_data",
    "usr/share",
)


@cache
def tree_with_agent() -> Path:
    """The whole root file system, with the agent as this checkout was when first asked. Raises: ProgramFailed."""
    base, wheel = _base(), _wheel()
    overlay = digest_of_files((path for path in GUEST.rglob("*") if path.is_file()), GUEST)

    def make(tree: Path) -> None:
        run("cp", "--archive", "--link", base, tree)
        with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
            archive.extractall(tree / SITE)
        _compile(tree, "agent", "adapters", "bridge")
        run("cp", "--recursive", "--remove-destination", "--no-target-directory", GUEST, tree)
        (tree / "init.sh").chmod(0o755)

    return made_once("tree", digest([base.name, wheel.name, overlay]), make)


def _base() -> Path:
    """Debian's packages, the modules of its kernel and the wheels of others."""
    recipe = Path(__file__).read_text() + (PROJECT / "constraints.txt").read_text() + repr(_requirements())
    return made_once("base", digest([recipe]), _make_base)


def _make_base(tree: Path) -> None:
    debian = Debian("arm64")
    kernel = debian.depends_on(*KERNEL)
    debian.unpack([*PACKAGES, kernel], tree)
    for folder in FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    _take_kernel(tree, kernel.removeprefix("linux-image-"))
    _install_wheels(tree)
    for path in UNUSED:
        shutil.rmtree(tree / path, ignore_errors=True)
    (tree / "usr/bin/python3").symlink_to(f"python{PYTHON}")
    _compile(tree, "..")
    _compile(tree, "../../usr/lib/python3.11")


def _take_kernel(tree: Path, version: str) -> None:
    """Keep the kernel and the few modules that the guest needs."""
    every = tree / "lib/modules" / version / "kernel"
    order = []
    for module in (every / f"{name}.ko" for name in MODULES):
        if module.exists():
            shutil.copy2(module, tree / "lib/guest-modules")
            order.append(module.name)
    (tree / "lib/guest-modules/order").write_text("\n".join(order) + "\n")
    shutil.move(tree / f"boot/vmlinuz-{version}", tree / "Image")
    for path in ("boot", "lib/modules", f"usr/lib/linux-image-{version}"):
        shutil.rmtree(tree / path)
    (tree / "boot").mkdir()
    shutil.move(tree / "Image", tree / "boot/Image")


def _install_wheels(tree: Path) -> None:
    """What the agent depends on, for the guest's machine and its Python, at the versions that all tests use."""
    platforms = [part for name in PLATFORMS for part in ("--platform", name)]
    target: list[str | Path] = [
        "--python-version",
        PYTHON,
        "--implementation",
        "cp",
        "--only-binary=:all:",
        "--target",
        tree / SITE,
    ]
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    constraints: list[str | Path] = ["--constraint", PROJECT / "constraints.txt"]
    run(sys.executable, *pip, *constraints, *platforms, *target, *_requirements())


def _requirements() -> list[str]:
    """Of the agent on a device of AWS; markers are about the Python that runs pip, not about the guest's."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"][EXTRA]]
    return [each.partition(";")[0].strip() for each in named]


def _wheel() -> Path:
    """The folder with the wheel of this checkout."""
    sources = [path for name in ("agent", "adapters", "bridge") for path in (PROJECT / name).rglob("*.*")]
    kept = [path for path in sources if path.is_file() and path.suffix != ".pyc"]
    origin = digest_of_files([*kept, PROJECT / "pyproject.toml"], PROJECT)
    build = (sys.executable, "-m", "build", "--wheel", "--outdir")
    return made_once("wheel", origin, lambda folder: _discard(run(*build, folder, PROJECT)))


def _discard(_: str) -> None:
    """What a program said that went well."""


def _compile(tree: Path, *folders: str) -> None:
    """Byte code, which the guest would make anew at each boot. Of use where this Python is of the guest's version."""
    mode = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", tree, "-p", "/")
    run(sys.executable, *mode, *(tree / SITE / folder for folder in folders))
