"""The kernel's own name of this boot (Linux, Documentation/admin-guide/sysctl/kernel.rst, random/boot_id)."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from agent.slots import BootEnvironmentError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UUID_CHARACTERS = 36


def boot_id(path: Path = BOOT_ID) -> str:
    """A name that no other boot has. Raises: BootEnvironmentError."""
    try:
        with path.open("rb") as file:
            return str(UUID(file.read(UUID_CHARACTERS).decode("ascii")))
    except OSError as error:
        raise BootEnvironmentError(f"{path} cannot be read: {error.strerror}; is /proc mounted?") from error
    except ValueError as error:
        raise BootEnvironmentError(f"{path} does not hold the name of a boot: {error}") from error
