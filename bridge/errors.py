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
    ├── GateFailed           26   a gate of the rollout was breached
    ├── RolloutPaused        27   it waits until a person resumes, rolls back or aborts it
    ├── NotApproved          28   approvals are missing, or an approver rejected it
    ├── PlanDrifted          29   the world is not the one that the plan was made for
    ├── RolloutRolledBack    30   its devices were sent back to the previous release
    ├── ForeignImage         31   an image is not the one that a payload is about
    ├── FleetLacks           34   a permission or a resource of a fleet is missing (32 and 33 are the agent's)
    ├── FleetUnproven        35   nothing is known to be missing, and not everything could be proven
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


class GateFailed(OtabridgeError):
    """The rollout stopped itself: a gate other than the budget was breached."""

    @property
    def exit_code(self) -> int:
        """26."""
        return 26


class RolloutPaused(OtabridgeError):
    """The rollout is paused, by a person or by a gate, and waits for a person."""

    @property
    def exit_code(self) -> int:
        """27."""
        return 27


class NotApproved(OtabridgeError):
    """The rollout waits for signatures of approvers, or one of them rejected it."""

    @property
    def exit_code(self) -> int:
        """28."""
        return 28


class PlanDrifted(OtabridgeError):
    """A plan that was saved or approved is not what would be planned now; nothing was done."""

    @property
    def exit_code(self) -> int:
        """29."""
        return 29


class RolloutRolledBack(OtabridgeError):
    """The rollout has sent its devices back to the previous release, or is doing so."""

    @property
    def exit_code(self) -> int:
        """30."""
        return 30


class ForeignImage(OtabridgeError):
    """An image is not the one that a payload starts from, or makes."""

    @property
    def exit_code(self) -> int:
        """31."""
        return 31


class FleetLacks(OtabridgeError):
    """A permission or a resource that the work on a fleet needs is missing."""

    @property
    def exit_code(self) -> int:
        """34."""
        return 34


class FleetUnproven(OtabridgeError):
    """Nothing is known to be missing, but some of what the work on a fleet needs could not be proven."""

    @property
    def exit_code(self) -> int:
        """35."""
        return 35
