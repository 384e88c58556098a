"""Errors of the control plane, beside those of the release contract.

    OtabridgeError
    ├── UsageError            2   the command, a file or the configuration asks for something impossible
    ├── StoreError            1   the store of rollouts cannot be read or written
    ├── RolloutStopped       20   the budget is spent
    ├── RolloutAborted       21   a person ended it
    ├── RolloutUnfinished    22   still running when the time to wait was over
    ├── RolloutInconclusive  23   neither good nor bad: a person must look
    ├── BrokenLedger         24   the ledger was edited
    ├── RolloutBusy          25   another otabridge acts on the rollout now
    └── FleetError            1   a cloud refused or could not be reached (`bridge.fleet`)

The numbers are documented in `docs/reference/exit-codes.md` and never reused.
"""

from __future__ import annotations

from bridge.release.errors import OtabridgeError


class UsageError(OtabridgeError):
    """The command, a file or the configuration asks for something impossible; the message names the field."""

    @property
    def exit_code(self) -> int:
        """2, as for every misuse of a command line."""
        return 2


class StoreError(OtabridgeError):
    """The store cannot be opened, read or written; nothing was half-written."""


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


class RolloutUnfinished(OtabridgeError):
    """The rollout was still running when the time to wait was over; nothing is wrong with it."""

    @property
    def exit_code(self) -> int:
        """22."""
        return 22


class RolloutInconclusive(OtabridgeError):
    """The rollout holds at a stage that proves nothing; only a person can tell what happened."""

    @property
    def exit_code(self) -> int:
        """23."""
        return 23


class BrokenLedger(OtabridgeError):
    """An entry of the ledger is not what was written; `number` is the first that does not hold."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number

    @property
    def exit_code(self) -> int:
        """24."""
        return 24


class RolloutBusy(OtabridgeError):
    """Another otabridge is acting on the same rollout."""

    @property
    def exit_code(self) -> int:
        """25."""
        return 25
