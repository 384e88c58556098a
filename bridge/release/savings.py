"""What devices can save by taking a delta in place of the full artifact. Pure."""

from __future__ import annotations

from bridge.release.manifest import Release


def most_saved(release: Release) -> int:
    """The bytes that one device can have saved at most with `release`: the slot's longest full artifact less its
    shortest delta; 0 where it has no delta, or none is shorter. A device that says more does not tell the truth.
    """
    full = max((each.length for each in release.slot_artifacts if each.source is None), default=0)
    delta = min((each.length for each in release.slot_artifacts if each.source is not None), default=full)
    return max(0, full - delta)


def whole_bytes(total: float, devices: int, most: int) -> int:
    """What `devices` have saved together, each at most `most` bytes, from a cloud's `total`: clouds add up in floating
    point, which may be a little off where many bytes meet. Not a number is nothing.
    """
    return round(max(0, min(total, devices * most)))
