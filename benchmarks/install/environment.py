"""U-Boot's environment in a plain file, in two copies, as libubootenv keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.install.programs import run

COPY_BYTES = 0x4000
NAME = "uboot.env"


def configuration(folder: Path) -> str:
    """What fw_env.config says of the environment in `folder`."""
    return "".join(f"{folder / NAME} {offset:#x} {COPY_BYTES:#x}\n" for offset in (0, COPY_BYTES))


def write_environment(folder: Path, values: Mapping[str, str]) -> None:
    """Put `values`, and nothing else, into the environment in `folder`. Raises: Unavailable."""
    (folder / NAME).write_bytes(bytes(2 * COPY_BYTES))
    config, defaults = folder / "fw_env.here", folder / "fw_env.default"
    config.write_text(configuration(folder))
    defaults.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    name, value = next(iter(values.items()))
    run(["fw_setenv", "--config", config, "--defenv", defaults, name, value])


def read_environment(folder: Path) -> dict[str, str]:
    """What is in it. Raises: Unavailable."""
    lines = run(["fw_printenv", "--config", folder / "fw_env.here", "--defenv", folder / "fw_env.default"]).splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
