"""What can be wrong with a payload, as refusals of a release.

ReleaseError
├── MalformedRelease
│   └── MalformedPayload     not the format, or outside a limit; the same bytes will never do
├── AlteredRelease
│   └── AlteredPayload       it made other bytes than it promised, or belongs to something else
└── UnusablePayload        sound, but not for this device as it is: another artifact of the release may do
    ├── OversizedPayload     needs more memory than this device grants
    ├── ForeignSource        the old slot does not hold the bytes that it builds on
    ├── ForeignZlib          this device's zlib packs otherwise than the maker's
    └── ForeignLz4           this device has no LZ4, or one that packs otherwise than the maker's
"""

from __future__ import annotations

from bridge.release.errors import AlteredRelease, FailureCode, MalformedRelease, ReleaseError


class MalformedPayload(MalformedRelease):
    """Not a payload, or outside one of the limits of the format."""


class AlteredPayload(AlteredRelease):
    """A checksum does not hold, or the payload is for another image than the one signed."""


class UnusablePayload(ReleaseError):
    """A sound payload that this device cannot use as it is now; the full artifact may do."""

    code = FailureCode.INCOMPATIBLE


class OversizedPayload(UnusablePayload):
    """Applying it would take more memory than the device grants."""

    code = FailureCode.TOO_LARGE


class ForeignSource(UnusablePayload):
    """The old slot holds other bytes than those the payload was made from."""

    code = FailureCode.SLOT_MISMATCH


class ForeignZlib(UnusablePayload):
    """The device's zlib does not give the bytes that the maker's gave."""


class ForeignLz4(UnusablePayload):
    """The device has no LZ4, or one that does not give the bytes that the maker's gave."""
