"""The life of an update as two tables. Pure: what a state does is the engine's business, where it leads is told here.

Until SWITCHING the boot loader knows nothing of the update and the old slot runs; from there to COMMITTING the target
is on trial; REVERTING leads back. A power cut at any line leaves a journalled state, and `RESUME` goes on from it.

STAGING, APPLYING, FINISHING and UNDOING are only of releases with steps that the agent's own image is not.
"""

from __future__ import annotations

from enum import StrEnum, auto
from types import MappingProxyType


class State(StrEnum):
    """What the engine is about to do, or doing. Journalled before it begins."""

    IDLE = auto()
    """Nothing; or an update that was interrupted, or postponed, before the switch waits for its offer."""
    JUDGING = auto()
    """Hold the release against roots, keys and facts, and choose the artifact. No slot is written."""
    PREPARING = auto()
    """Make the inactive slot unbootable, before its first byte is written."""
    WRITING = auto()
    """Fetch, apply, write the slot."""
    CHECKING = auto()
    """Read the whole slot back and compare its sha256."""
    STAGING = auto()
    """Fetch the files of the steps, and hold each against its sha256. Nothing of them is in effect."""
    APPLYING = auto()
    """Install the steps that come before the switch, or all of them where no step is of the slot."""
    SWITCHING = auto()
    """Tell the boot loader to try the slot."""
    REBOOTING = auto()
    """Restart; then find out which slot runs."""
    FINISHING = auto()
    """Install the steps that come after the switch, in the trial boot."""
    PROVING = auto()
    """Run the health checks in the trial boot."""
    COMMITTING = auto()
    """Make the slot the default."""
    REVERTING = auto()
    """End the trial and restart into the old slot."""
    UNDOING = auto()
    """Undo the steps that were begun, the last one first, in the old slot's system."""
    REPORTING = auto()
    """Tell the cloud how it ended."""


class Event(StrEnum):
    """What came of a state."""

    OFFERED = auto()
    ORDERED = auto()
    """A person wants the other slot; what it holds is known."""
    REFUSED = auto()
    HELD = auto()
    """The running slot holds the release already."""
    KEPT = auto()
    """The slot that does not run should hold the release already: once committed, or checked and then postponed."""
    ACCEPTED = auto()
    WITHOUT_IMAGE = auto()
    """Accepted, and the agent itself has no image to write: the files of the steps are all there is."""
    PREPARED = auto()
    WRITTEN = auto()
    MATCHED = auto()
    MORE = auto()
    """Matched, and there are steps beside the image."""
    STAGED = auto()
    APPLIED = auto()
    IN_EFFECT = auto()
    """Applied, with no slot to switch to and no restart."""
    RESTART = auto()
    """Applied, with no slot to switch to, and in effect after a restart."""
    SPOILED = auto()
    """What a slot should have held is not there: it is fetched after all."""
    UNUSABLE = auto()
    """The artifact is of no use on this device: the release may have another one."""
    SWITCHED = auto()
    ARRIVED = auto()
    """The target slot runs."""
    UNFINISHED = auto()
    """The target slot runs, and steps are left."""
    FINISHED = auto()
    FELL_BACK = auto()
    """The boot loader gave the trial up: the old slot runs."""
    LEFT = auto()
    """The same, and steps were begun."""
    PROVEN = auto()
    UNHEALTHY = auto()
    COMMITTED = auto()
    RETURNED = auto()
    """The old slot runs, as the engine wanted."""
    OWING = auto()
    """The same, and steps were begun."""
    UNDONE = auto()
    FAILED = auto()
    GIVEN_UP = auto()
    """Restarted too often without progress."""
    INTERRUPTED = auto()
    """The cloud could not be asked; the offer will come again."""
    WITHDRAWN = auto()
    POSTPONED = auto()
    """Somebody on the device wants it later; the offer will come again."""
    DELIVERED = auto()
    DEFERRED = auto()
    """The cloud is to hear of it later: a person installs without it."""


# fmt: off
TRANSITIONS = MappingProxyType({
    (State.IDLE,       Event.OFFERED):     State.JUDGING,
    (State.IDLE,       Event.ORDERED):     State.CHECKING,
    (State.IDLE,       Event.GIVEN_UP):    State.REPORTING,
    (State.IDLE,       Event.FELL_BACK):   State.REPORTING,  # long after the commit
    (State.IDLE,       Event.LEFT):        State.UNDOING,    # the journal knows nothing of them any more

    (State.JUDGING,    Event.ACCEPTED):    State.PREPARING,
    (State.JUDGING,    Event.KEPT):        State.CHECKING,
    (State.JUDGING,    Event.WITHOUT_IMAGE): State.STAGING,
    (State.JUDGING,    Event.REFUSED):     State.REPORTING,
    (State.JUDGING,    Event.HELD):        State.REPORTING,
    (State.JUDGING,    Event.FAILED):      State.REPORTING,
    (State.JUDGING,    Event.WITHDRAWN):   State.IDLE,
    (State.JUDGING,    Event.POSTPONED):   State.IDLE,

    (State.PREPARING,  Event.PREPARED):    State.WRITING,
    (State.PREPARING,  Event.FAILED):      State.REPORTING,

    (State.WRITING,    Event.WRITTEN):     State.CHECKING,
    (State.WRITING,    Event.UNUSABLE):    State.JUDGING,
    (State.WRITING,    Event.FAILED):      State.REPORTING,
    (State.WRITING,    Event.INTERRUPTED): State.IDLE,
    (State.WRITING,    Event.WITHDRAWN):   State.IDLE,

    (State.CHECKING,   Event.MATCHED):     State.SWITCHING,
    (State.CHECKING,   Event.MORE):        State.STAGING,
    (State.CHECKING,   Event.SPOILED):     State.JUDGING,
    (State.CHECKING,   Event.UNUSABLE):    State.JUDGING,
    (State.CHECKING,   Event.FAILED):      State.REPORTING,
    (State.CHECKING,   Event.WITHDRAWN):   State.IDLE,
    (State.CHECKING,   Event.POSTPONED):   State.IDLE,

    (State.STAGING,    Event.STAGED):      State.APPLYING,
    (State.STAGING,    Event.FAILED):      State.REPORTING,
    (State.STAGING,    Event.INTERRUPTED): State.IDLE,
    (State.STAGING,    Event.WITHDRAWN):   State.IDLE,
    (State.STAGING,    Event.POSTPONED):   State.IDLE,

    # From here on a withdrawal comes too late: the update is finished, its report dropped.
    (State.APPLYING,   Event.APPLIED):     State.SWITCHING,
    (State.APPLYING,   Event.IN_EFFECT):     State.PROVING,
    (State.APPLYING,   Event.RESTART):     State.REBOOTING,
    (State.APPLYING,   Event.FAILED):      State.UNDOING,
    (State.APPLYING,   Event.GIVEN_UP):    State.UNDOING,

    (State.SWITCHING,  Event.SWITCHED):    State.REBOOTING,
    (State.SWITCHING,  Event.FAILED):      State.REVERTING,  # the trial may be on, whatever the boot loader said
    (State.SWITCHING,  Event.GIVEN_UP):    State.REVERTING,

    (State.REBOOTING,  Event.ARRIVED):     State.PROVING,
    (State.REBOOTING,  Event.UNFINISHED):  State.FINISHING,
    (State.REBOOTING,  Event.FELL_BACK):   State.REPORTING,
    (State.REBOOTING,  Event.LEFT):        State.UNDOING,
    (State.REBOOTING,  Event.FAILED):      State.REVERTING,
    (State.REBOOTING,  Event.GIVEN_UP):    State.REVERTING,

    (State.FINISHING,  Event.FINISHED):    State.PROVING,
    (State.FINISHING,  Event.FAILED):      State.REVERTING,

    (State.PROVING,    Event.PROVEN):      State.COMMITTING,
    (State.PROVING,    Event.UNHEALTHY):   State.REVERTING,
    (State.PROVING,    Event.FAILED):      State.REVERTING,

    (State.COMMITTING, Event.COMMITTED):   State.REPORTING,
    (State.COMMITTING, Event.FELL_BACK):   State.REPORTING,
    (State.COMMITTING, Event.LEFT):        State.UNDOING,
    (State.COMMITTING, Event.FAILED):      State.REVERTING,
    (State.COMMITTING, Event.GIVEN_UP):    State.REVERTING,

    (State.REVERTING,  Event.RETURNED):    State.REPORTING,
    (State.REVERTING,  Event.OWING):       State.UNDOING,
    (State.REVERTING,  Event.FAILED):      State.REPORTING,  # the boot loader refuses to leave the target
    (State.REVERTING,  Event.GIVEN_UP):    State.REPORTING,

    (State.UNDOING,    Event.UNDONE):      State.REPORTING,
    (State.UNDOING,    Event.FAILED):      State.REPORTING,  # a step could not be undone: the report names it
    (State.UNDOING,    Event.GIVEN_UP):    State.REPORTING,

    (State.REPORTING,  Event.DELIVERED):   State.IDLE,
    (State.REPORTING,  Event.DEFERRED):    State.IDLE,
})

RESUME = MappingProxyType({
    State.IDLE:       State.IDLE,
    State.JUDGING:    State.IDLE,        # wait for the offer: it has the URLs, and may be gone
    State.PREPARING:  State.IDLE,
    State.WRITING:    State.IDLE,        # the journal keeps the checkpoint to go on from
    State.CHECKING:   State.IDLE,
    State.STAGING:    State.IDLE,        # it keeps how much of the files is durable, too
    State.APPLYING:   State.APPLYING,    # the step that was begun once more
    State.SWITCHING:  State.SWITCHING,   # once more; or the target runs already
    State.REBOOTING:  State.REBOOTING,
    State.FINISHING:  State.REBOOTING,   # the boot loader may have fallen back meanwhile
    State.PROVING:    State.REBOOTING,
    State.COMMITTING: State.COMMITTING,
    State.REVERTING:  State.REVERTING,
    State.UNDOING:    State.UNDOING,     # the step that was being undone once more
    State.REPORTING:  State.REPORTING,
})
# fmt: on

BEFORE_SWITCH = frozenset({State.IDLE, State.JUDGING, State.PREPARING, State.WRITING, State.CHECKING, State.STAGING})
"""The boot loader has not been told of the update, and no step was begun: it can be dropped, and its offer begun again.
"""
IN_TRIAL = frozenset({State.REBOOTING, State.FINISHING, State.PROVING, State.COMMITTING})
"""The new system is to run, and has not proved itself."""


def next_state(state: State, event: Event) -> State:
    """Where `event` leads from `state`. Raises: RuntimeError for a pair that is not in the table, which is a bug."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RuntimeError(f"no transition from state {state!r} on event {event!r}") from None
