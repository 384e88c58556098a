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
from tests.boot.modules import modules_for, ramdisk
from tests.boot.platforms import Platform
from tests.boot.programs import run

PROJECT = Path(__file__).parents[2]
GUEST = Path(__file__).with_name("guest")
RAMDISK = Path(__file__).with_name("ramdisk") / "init"
RECIPE = ("rootfs.py", "modules.py", "platforms.py", "ramdisk/init")
"""Files of this folder that the system below the agent is made by."""
EXTRA = "device-aws"
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
FOLDERS = ("boot", "data", "dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "lib/guest-modules")
BARE = ("boot", "lib/guest-modules", "bin/busybox")
"""All that a system needs that never comes to its agent."""
PYTHON = "3.11"
SITE = "opt/otabridge"
"""Where wheels are unpacked; `guest/init.sh` names it in PYTHONPATH."""
UNUSED = ("usr/lib/python3.11/lib2to3", "usr/lib/python3.11/pydoc_data", "usr/share")


@cache
def tree_with_agent(platform: Platform) -> Path:
    """The whole root file system, with the agent as this checkout was when first asked. Raises: ProgramFailed."""
    base, wheel = _base(platform), _wheel()

    def make(tree: Path) -> None:
        run("cp", "--archive", "--link", base, tree)
        with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
            archive.extractall(tree / SITE)
        _compile(tree, *(tree / SITE / name for name in ("agent", "adapters", "bridge")))
        _put_guest(tree)

    return made_once(f"tree-{platform.architecture}", digest([base.name, wheel.name, _guest()]), make)


def bare_tree(platform: Platform) -> Path:
    """The same kernel and first process without Python and the agent. Raises: ProgramFailed."""
    base = _base(platform)

    def make(tree: Path) -> None:
        for name in (*FOLDERS, *(str(Path(name).parent) for name in BARE)):
            (tree / name).mkdir(parents=True, exist_ok=True)
        for name in BARE:
            run("cp", "--archive", "--link", "--no-target-directory", base / name, tree / name)
        _put_guest(tree)

    return made_once(f"bare-{platform.architecture}", digest([base.name, _guest()]), make)


def _guest() -> str:
    return digest_of_files((path for path in GUEST.rglob("*") if path.is_file()), GUEST)


def _put_guest(tree: Path) -> None:
    run("cp", "--recursive", "--remove-destination", "--no-target-directory", GUEST, tree)
    (tree / "init.sh").chmod(0o755)


def _base(platform: Platform) -> Path:
    """Debian's packages, the modules of its kernel and the wheels of others."""
    recipe = [(Path(__file__).parent / name).read_text() for name in RECIPE]
    origin = digest([*recipe, (PROJECT / "constraints.txt").read_text(), repr(_requirements())])
    return made_once(f"base-{platform.architecture}", origin, lambda tree: _make_base(platform, tree))


def _make_base(platform: Platform, tree: Path) -> None:
    debian = Debian(platform.architecture)
    kernel = debian.depends_on(*platform.kernel)
    debian.unpack([*PACKAGES, kernel], tree)
    for folder in FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    _take_kernel(platform, tree, kernel.removeprefix("linux-image-"))
    _install_wheels(platform, tree)
    for path in (*UNUSED, f"usr/lib/{platform.libraries}/gconv"):
        shutil.rmtree(tree / path, ignore_errors=True)
    (tree / "usr/bin/python3").symlink_to(f"python{PYTHON}")
    _compile(tree, tree / SITE, tree / "usr/lib/python3.11")


def _take_kernel(platform: Platform, tree: Path, version: str) -> None:
    """Keep the kernel and the few modules that the guest needs, those that are needed early in a RAM disk."""
    every = tree / "lib/modules" / version / "kernel"
    early = modules_for(platform.early, every)
    later = [path for path in modules_for(platform.modules, every) if path not in early]
    for module in later:
        shutil.copy2(module, tree / "lib/guest-modules")
    (tree / "lib/guest-modules/order").write_text("".join(f"{path.name}\n" for path in later))
    kernel = (tree / f"boot/vmlinuz-{version}").read_bytes()
    archive = ramdisk(tree / "bin/busybox", RAMDISK, early) if early else b""
    for path in ("boot", "lib/modules", f"usr/lib/linux-image-{version}"):
        shutil.rmtree(tree / path, ignore_errors=True)
    (tree / "boot").mkdir()
    (tree / platform.kernel_file).write_bytes(kernel)
    if archive:
        (tree / platform.ramdisk_file).write_bytes(archive)


def _install_wheels(platform: Platform, tree: Path) -> None:
    """What the agent depends on, for the guest's machine and its Python, at the versions that all tests use."""
    platforms = [part for name in platform.wheels for part in ("--platform", name)]
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


def _compile(tree: Path, *folders: Path) -> None:
    """Byte code in the place of sources, which the guest would read and compare at each start. Of use where this Python
    is of the guest's version; where it is another, the sources stay."""
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        return
    run(sys.executable, "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash", "-s", tree, *folders)
    for source in (path for folder in folders for path in folder.rglob("*.py")):
        if source.with_suffix(".pyc").exists():
            source.unlink()
