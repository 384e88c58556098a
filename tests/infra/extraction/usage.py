"""Which types the modules in infra/ use, and so which a committed schema holds."""

from __future__ import annotations

import re

from tests.infra.terraform import INFRA

USED = re.compile(r'^\s*(resource|data) "(\w+)"', re.MULTILINE)


def used(kind: str) -> set[str]:
    """Types of resources (`resource`) or data sources (`data`) that the modules use."""
    files = (path for path in INFRA.rglob("*.tf") if ".terraform" not in path.parts)
    return {name for path in files for found, name in USED.findall(path.read_text()) if found == kind}
