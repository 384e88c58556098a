"""The fleets and translations that there are, by the name of the cloud. An SDK is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from bridge.errors import UsageError
from bridge.fleet import Fleet

Settings = Mapping[str, object]
Parts = Mapping[str, object]
"""What a cloud would be sent, by name, as JSON values; the last part is the call itself, those before go into it."""
Chosen = TypeVar("Chosen")


def open_fleet(cloud: str, name: str, settings: Settings) -> Fleet:
    """The fleet `name` in `cloud`; nothing is called yet. `settings` are the fields of that cloud's fleet.

    Raises:
        UsageError: an unknown cloud, one whose SDK is not installed, or a field that is wrong.
    """
    return _choose(FLEETS, cloud, f"fleet {name}: ")(name, settings)


def translate(cloud: str, release: bytes, roots: tuple[bytes, ...], options: Settings) -> Parts:
    """What `cloud` would be sent for one stage of `release` (a whole `release.json`); nothing is called.

    Raises:
        UsageError: an unknown cloud, or an option that is missing or wrong; ReleaseError; LimitError.
    """
    return _choose(TRANSLATIONS, cloud, "translate: ")(release, roots, options)


def check(cloud: str, text: bytes) -> tuple[str, ...]:
    """Every limit of `cloud` that `text`, a file that anybody wrote for it, breaks; a sentence each.

    Raises:
        UsageError: an unknown cloud, or no JSON object at all.
    """
    return _choose(CHECKS, cloud, "translate: ")(text)


def _choose(table: Mapping[str, Callable[[], Chosen]], cloud: str, where: str) -> Chosen:
    chosen = table.get(cloud)
    if chosen is None:
        raise UsageError(f"{where}no cloud is named {cloud!r}; there is {', '.join(table)}")
    try:
        return chosen()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{where}the SDK of {cloud} is not installed ({error.name}): pip install 'otabridge[{cloud}]'"
        ) from error


def _aws_fleet() -> Callable[[str, Settings], Fleet]:
    from adapters.aws.cloud import open_fleet as opened

    return opened


def _aws_translation() -> Callable[[bytes, tuple[bytes, ...], Settings], Parts]:
    from adapters.aws.translation import translate as translated

    return translated


def _aws_check() -> Callable[[bytes], tuple[str, ...]]:
    from adapters.aws.translation import check as checked

    return checked


FLEETS: Mapping[str, Callable[[], Callable[[str, Settings], Fleet]]] = {"aws": _aws_fleet}
TRANSLATIONS: Mapping[str, Callable[[], Callable[[bytes, tuple[bytes, ...], Settings], Parts]]] = {
    "aws": _aws_translation
}
CHECKS: Mapping[str, Callable[[], Callable[[bytes], tuple[str, ...]]]] = {"aws": _aws_check}
