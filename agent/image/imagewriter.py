"""Writes an image into its slot, and says when what is written may be gone on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.image.slotfile import SlotFile
from bridge.release.delta.checkpoint import Checkpoint
from bridge.release.delta.errors import AlteredPayload

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Image bytes between two checkpoints in the journal, at most: what a power cut makes the device do again."""
WORTH = 10
"""A checkpoint is worth a tenth of the time that it secures: over a slow link each span gets one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a checkpoint is kept: at each new frame, as that would have to be fetched again; after `count` bytes of
    image; and with fewer after `seconds` by `clock`, or as soon as that costs little beside the work since the last."""

    count: int
    seconds: float
    clock: Callable[[], float]

    def is_due(self, ready: Checkpoint, kept: Checkpoint, since: float, cost: float) -> bool:
        """Whether `ready` is worth being kept in place of `kept`, which was at `since` and took `cost` seconds."""
        gained, passed = ready.target - kept.target, self.clock() - since
        if gained >= self.count or ready.frame > kept.frame:
            return True
        return gained > 0 and (passed >= self.seconds or passed > cost * WORTH)


class ImageWriter:
    """Writes an image of `length` bytes, from checkpoint `start` on, into `slot`.

    `keep` is called with each checkpoint before which everything is durable, whenever `pace` finds it due; `durable`
    with how many bytes of the slot are, whenever more have become so.
    """

    def __init__(
        self,
        slot: SlotFile,
        length: int,
        start: Checkpoint,
        pace: Pace,
        keep: Callable[[Checkpoint], None],
        *,
        durable: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._slot = slot
        self._length = length
        self._pace = pace
        self._keep = keep
        self._durable = durable
        self._ready = self._kept = start
        self._kept_at, self._cost = pace.clock(), 0.0
        self.offset = start.target
        """Where the next byte goes."""

    def take(self, data: bytes, checkpoint: Checkpoint) -> None:
        """Write `data` after what was taken before, all of which `checkpoint` promises.

        Raises: SlotError; AlteredPayload for more than the image has; what `keep` raises.
        """
        self._ready = checkpoint
        if self._pace.is_due(checkpoint, self._kept, self._kept_at, self._cost):
            self.settle()
        if not data:
            return
        if self.offset + len(data) > self._length:
            raise AlteredPayload(f"the payload makes more than the {self._length} bytes that were signed")
        self._slot.write(self.offset, data)
        self.offset += len(data)

    def settle(self) -> None:
        """Make what was taken durable and keep the last checkpoint. Raises: SlotError; what `keep` raises."""
        if self._ready == self._kept:
            return
        began = self._pace.clock()
        self._slot.sync()
        self._durable(self.offset)
        self._keep(self._ready)
        self._kept, self._kept_at = self._ready, self._pace.clock()
        self._cost = self._kept_at - began

    def finish(self) -> Checkpoint:
        """Make all durable; the checkpoint after it, for the caller to keep. Raises: SlotError."""
        self._slot.sync()
        return self._ready
