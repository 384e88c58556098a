"""A prebuilt provider of CDK Terrain: a wheel, in it a package of JavaScript, in that the TypeScript it was made from.

Each resource type is a folder, `lib/iothub-dps/`, of one file or of several; a file ends in an inline source map, which
holds its TypeScript. That was generated from the provider's own schema, and its comments still tell most of it.
"""

from __future__ import annotations

import base64
import json
import re
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

SOURCE_MAP = re.compile(rb"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)")
FILE = re.compile(r"package/lib/([^/]+)/.*\.js")
JSII = re.compile(r".+/_jsii/.+\.jsii\.tgz")
PROVIDER = "provider"
"""The folder of the provider's own configuration."""


def typescript(wheel: Path) -> dict[str, str]:
    """All TypeScript of each folder, by the folder's name. Raises: ValueError, it is no such wheel."""
    with zipfile.ZipFile(wheel) as archive:
        packages = [name for name in archive.namelist() if JSII.fullmatch(name)]
        if len(packages) != 1:
            raise ValueError(f"{wheel} holds {len(packages)} packages of JavaScript; a prebuilt provider holds one")
        with archive.open(packages[0]) as package, tarfile.open(fileobj=package, mode="r|gz") as members:
            return _by_folder(members)


def _by_folder(members: tarfile.TarFile) -> dict[str, str]:
    texts: dict[str, list[str]] = defaultdict(list)
    for member in members:
        found = FILE.fullmatch(member.name)
        stream = members.extractfile(member) if found else None
        if found and stream and (mapped := SOURCE_MAP.search(stream.read())):
            texts[found[1]].append(json.loads(base64.b64decode(mapped[1]))["sourcesContent"][0])
    return {folder: "\n".join(each) for folder, each in texts.items()}
