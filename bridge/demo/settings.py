"""Files that point otabridge and its agent at a simulated cloud."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from bridge.simulated import SimulatedCloud

_CONFIG = """\
[store]
path = "otabridge.db"

[trust]
folder = {trust}
"""

_FLEET = """\
[fleets.{name}]
cloud = {cloud}
{settings}
"""

_CHANNEL = """\
[channel]
cloud = {cloud}

[channel.{table}]
{settings}
"""


def otabridge_toml(fleets: Mapping[str, SimulatedCloud], trust: str) -> str:
    """An `otabridge.toml` with `fleets` by their names; `trust` is the trust folder."""
    tables = [
        _FLEET.format(name=name, cloud=toml(cloud.cloud), settings=toml_lines(cloud.fleet()))
        for name, cloud in fleets.items()
    ]
    return "\n".join([_CONFIG.format(trust=toml(trust)), *tables])


def channel_tables(cloud: str, settings: Mapping[str, object]) -> str:
    """The tables of `agent.toml` that connect a device; `settings` are those that the simulator gave it."""
    return _CHANNEL.format(cloud=toml(cloud), table=cloud, settings=toml_lines(settings))


def shell_exports(variables: Mapping[str, str]) -> str:
    """A file for a POSIX shell to read with `.`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def toml_lines(values: Mapping[str, object]) -> str:
    """One line a value."""
    return "\n".join(f"{name} = {toml(value)}" for name, value in values.items())


def toml(value: object) -> str:
    """Strings, numbers, booleans and lists of them are written alike in JSON and TOML. A path is a string."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
