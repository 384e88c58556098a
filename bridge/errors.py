"""Errors of the control plane, beside those of the release contract."""

from __future__ import annotations

from bridge.release.errors import OtabridgeError


class UsageError(OtabridgeError):
    """The command, a file or the configuration asks for something impossible; the message names the field."""

    @property
    def exit_code(self) -> int:
        """2, as for every misuse of a command line."""
        return 2


class RolloutStopped(OtabridgeError):
    """The rollout stopped itself: its budget is spent."""

    @property
    def exit_code(self) -> int:
        """20."""
        return 20


class RolloutAborted(OtabridgeError):
    """A person aborted the rollout."""

    @property
    def exit_code(self) -> int:
        """21."""
        return 21
