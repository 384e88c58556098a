"""The fleets and translations that there are, by the name of the cloud. An SDK is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from bridge.errors import UsageError
from bridge.fleet import Fleet
from bridge.planning.planned import Facts
from bridge.probing import Probe
from bridge.translation import Translation

Settings = Mapping[str, object]
Opener = Callable[[str, Settings], Fleet]
Prober = Callable[[str, Settings, Settings], Sequence[Probe]]
_Loaded = TypeVar("_Loaded")
_NONE: Settings = MappingProxyType({})


def open_fleet(cloud: str, name: str, settings: Settings) -> Fleet:
    """The fleet `name` in `cloud`; nothing is called yet. `settings` are the fields of that cloud's fleet.

    Raises:
        UsageError: an unknown cloud, one whose SDK is not installed, or a field that is wrong.
    """
    return _choose(FLEETS, cloud, f"fleet {name}: ")(name, settings)


def probes(cloud: str, name: str, settings: Settings, resources: Settings = _NONE) -> Sequence[Probe]:
    """What proves the fleet `name` in `cloud`, and the `resources` of its `tool_config`, in order; nothing is called
    yet.

    Raises: UsageError, as `open_fleet`, and for a resource that is none.
    """
    return _choose(PROBES, cloud, f"fleet {name}: ")(name, settings, resources)


def stated_facts(cloud: str, name: str, settings: Settings) -> Facts:
    """What the settings of a fleet say that it gives; no cloud is asked, and no SDK is needed.

    Raises:
        UsageError: an unknown cloud, or a field that is wrong.
    """
    chosen = FACTS.get(cloud)
    if chosen is None:
        raise UsageError(f"fleet {name}: no cloud is named {cloud!r}; there is {', '.join(FACTS)}")
    return chosen(name, settings)


def _choose(table: Mapping[str, Callable[[], _Loaded]], cloud: str, where: str) -> _Loaded:
    chosen = table.get(cloud)
    if chosen is None:
        raise UsageError(f"{where}no cloud is named {cloud!r}; there is {', '.join(table)}")
    try:
        return chosen()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{where}the SDK of {cloud} is not installed ({error.name}): pip install 'otabridge[{cloud}]'"
        ) from error


def _aws_fleet() -> Opener:
    from adapters.aws.cloud import open_fleet as opened

    return opened


def _azure_fleet() -> Opener:
    from adapters.azure.cloud import open_fleet as opened

    return opened


def _aws_probes() -> Prober:
    from adapters.aws.probes.listed import probes as listed

    return listed


def _azure_probes() -> Prober:
    from adapters.azure.probes.listed import probes as listed

    return listed


def _aws_translation() -> Translation:
    from adapters.aws import translation

    return translation


def _azure_translation() -> Translation:
    from adapters.azure import translation

    return translation


def _aws_facts(name: str, settings: Settings) -> Facts:
    from adapters.aws.facts import facts_of
    from adapters.aws.settings import read_settings

    return facts_of(read_settings(name, settings))


def _azure_facts(name: str, settings: Settings) -> Facts:
    from adapters.azure.fleet.facts import facts
    from adapters.azure.fleet.settings import parse_settings

    return facts(parse_settings(name, settings))


FACTS: Mapping[str, Callable[[str, Settings], Facts]] = {"aws": _aws_facts, "azure": _azure_facts}
FLEETS: Mapping[str, Callable[[], Opener]] = {"aws": _aws_fleet, "azure": _azure_fleet}
PROBES: Mapping[str, Callable[[], Prober]] = {"aws": _aws_probes, "azure": _azure_probes}
TRANSLATIONS: Mapping[str, Callable[[], Translation]] = {"aws": _aws_translation, "azure": _azure_translation}
"""Need no SDK: they are pure."""
