"""Which artifact of a release a device takes: the one with the fewest bytes to fetch that it can use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.image import Image
from bridge.release.manifest import Artifact, Release


class MeteredLink(OtabridgeError):
    """Only the full artifact is left, and it may not be fetched over the link as it is."""

    code = FailureCode.METERED


@dataclass(frozen=True, slots=True)
class Means:
    """What a device has for an update.

    `memory`: bytes that applying an artifact may take. `image`: what the slot that runs was committed with, None when
    unknown. `unusable`: artifacts of this release that were found to be of no use here, by name, and why.
    """

    memory: int
    image: Image | None
    unusable: Mapping[str, str]


def deltas_for(release: Release, means: Means) -> tuple[Artifact, ...]:
    """The deltas worth a try, those with the fewest bytes first, and none with more bytes than the full artifact.

    Where it is unknown which image runs, all of them: the slot itself tells.
    """
    fitting = (each for each in release.artifacts if each.source is not None and _fits(each, release, means))
    return tuple(sorted(fitting, key=lambda each: (each.length, each.name)))


def passed_over(release: Release, means: Means) -> str:
    """Why a delta that was meant for this device is not taken; "" when there is none."""
    for delta in release.artifacts:
        reason = means.unusable.get(delta.name) or _oversized(delta, means)
        if delta.source is not None and reason:
            return f"delta {delta.name} was not taken: {reason}"
    return ""


def require_link(release: Release, *, metered: bool, device_allows: bool, remark: str) -> None:
    """Whether the full artifact may be fetched; `remark` says why no delta is. Raises: MeteredLink."""
    if not metered or (release.full_over_metered and device_allows):
        return
    why = remark or "no delta of the release starts from what this device runs"
    refuse_link(release, f"the full artifact of {release.full.length} bytes", why)


def refuse_link(release: Release, what: str, why: str) -> NoReturn:
    """`what` stays off the metered link. Raises: MeteredLink, which says on whose word."""
    who = "this device's configuration" if release.full_over_metered else "the release"
    raise MeteredLink(f"the link is metered, and {who} keeps {what} off it; {why}")


def _oversized(delta: Artifact, means: Means) -> str:
    if delta.source is None or delta.source != means.image or delta.memory <= means.memory:
        return ""
    return f"it takes {delta.memory} bytes of memory, this device grants {means.memory}"


def _fits(artifact: Artifact, release: Release, means: Means) -> bool:
    return (
        artifact.name not in means.unusable
        and artifact.memory <= means.memory
        and artifact.length < release.full.length
        and means.image in (None, artifact.source)
    )
