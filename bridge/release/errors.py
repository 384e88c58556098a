"""What can be wrong, by whose fault, with a number that outlives the code.

    OtabridgeError
    ├── ReleaseError            what we were given is wrong; the same bytes will never do
    │   ├── MalformedRelease      not a release at all, or outside a limit
    │   ├── UnsignedRelease       an approver's signature is missing
    │   ├── ExpiredRelease        past its expiry, or its root's
    │   ├── RolledBackRelease     below the floor of this device
    │   ├── IncompatibleRelease   for other hardware, or from another version
    │   ├── AlteredRelease        bytes differ from what was signed
    │   └── UntrustedRoot         the chain of roots does not hold
    ├── DownloadError           getting it went wrong; another try may do
    ├── SlotError               the board: a slot, its device, the boot environment
    └── ChannelError            the cloud did not take or give a message

Each carries a `FailureCode`; `EXIT_CODES` gives every refusal the same exit code in the CLI and the agent.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType


class FailureCode(IntEnum):
    """Why an installation ended badly. On the wire; a number is never reused, dashboards outlive code."""

    # 1xx: what we were given. Final: the device rejects it.
    MALFORMED = 100
    UNSIGNED = 101
    EXPIRED = 102
    ROLLED_BACK = 103
    INCOMPATIBLE = 104
    ALTERED = 105
    UNTRUSTED_ROOT = 106
    FOREIGN = 107
    TOO_LARGE = 108
    QUARANTINED = 109
    # 2xx: getting it. Transient: another try may do.
    DOWNLOAD = 200
    LINK_REFUSED = 201
    METERED = 202
    VETOED = 203
    # 3xx: the board.
    SLOT_WRITE = 300
    SLOT_MISMATCH = 301
    BOOT_ENVIRONMENT = 302
    STEP = 303
    STEP_KEPT = 304
    # 4xx: the trial boot.
    UNHEALTHY = 400
    FELL_BACK = 401
    # 5xx: the agent itself.
    INTERRUPTED = 500
    JOURNAL = 501
    WITHDRAWN = 502

    @property
    def is_refusal(self) -> bool:
        """Whether the release itself is at fault, so that no retry can help."""
        return self < FailureCode.DOWNLOAD


EXIT_CODES = MappingProxyType(
    {
        FailureCode.MALFORMED: 10,
        FailureCode.UNSIGNED: 11,
        FailureCode.EXPIRED: 12,
        FailureCode.ROLLED_BACK: 13,
        FailureCode.INCOMPATIBLE: 14,
        FailureCode.ALTERED: 15,
        FailureCode.UNTRUSTED_ROOT: 16,
        FailureCode.FOREIGN: 17,
        FailureCode.TOO_LARGE: 18,
        FailureCode.QUARANTINED: 33,
    }
)
"""Exit code of each refusal; the CLI and the agent both use it. Any other failure exits with 1, misuse with 2."""


class OtabridgeError(Exception):
    """Root of every error that otabridge raises on purpose; its text is written for a person."""

    code = FailureCode.INTERRUPTED

    @property
    def exit_code(self) -> int:
        """What a command ends with after this error: 10 to 18, or 33, for a refusal, else 1."""
        return EXIT_CODES.get(self.code, 1)


MAX_REFUSAL = 600
"""Characters of a refusal's text; the rest is cut. It may quote the file that was refused."""


class ReleaseError(OtabridgeError):
    """What we were given is wrong; the same bytes will never be accepted.

    The text may quote hostile bytes and ends on terminals and in logs: control characters are replaced, length bounded.
    """

    code = FailureCode.MALFORMED

    def __init__(self, message: str) -> None:
        super().__init__("".join(char if char.isprintable() else "?" for char in message[:MAX_REFUSAL]))


class MalformedRelease(ReleaseError):
    """Not release metadata, or outside one of the limits in `bridge.release.manifest`."""


class UnsignedRelease(ReleaseError):
    """Fewer approvers have signed than the root demands."""

    code = FailureCode.UNSIGNED


class ExpiredRelease(ReleaseError):
    """The release, or the newest root, is past its expiry."""

    code = FailureCode.EXPIRED


class RolledBackRelease(ReleaseError):
    """The release's sequence lies below the floor of this device."""

    code = FailureCode.ROLLED_BACK


class IncompatibleRelease(ReleaseError):
    """The release is for another model, hardware revision, or starting version."""

    code = FailureCode.INCOMPATIBLE


class AlteredRelease(ReleaseError):
    """Bytes differ from what was signed: of the metadata or of an artifact."""

    code = FailureCode.ALTERED


class UntrustedRoot(ReleaseError):
    """A root is not vouched for by the one before it, or is not one at all."""

    code = FailureCode.UNTRUSTED_ROOT


class DownloadError(OtabridgeError):
    """An artifact could not be fetched; a later try may succeed unless the code is LINK_REFUSED."""

    code = FailureCode.DOWNLOAD


class SlotError(OtabridgeError):
    """A slot, its device or the boot environment could not be read or written."""

    code = FailureCode.SLOT_WRITE


class ChannelError(OtabridgeError):
    """The cloud did not take or give a message. `retryable` says whether the same call may succeed later."""

    code = FailureCode.DOWNLOAD

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable
