"""What a delta will be long is told beforehand, from a few samples, always the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.delta.effort import TRIALS, Effort
from bridge.delta.estimating import SAMPLES, estimate, sampled
from bridge.delta.making import Making
from bridge.delta.progress import MakingCancelled, Silence
from bridge.errors import UsageError
from tests.bridge.delta.pairs import noise, program


def test_samples_are_evenly_spread():
    """All of a few; of many always as many, from all over."""
    assert sampled(range(SAMPLES)) == list(range(SAMPLES))
    assert sampled(range(10 * SAMPLES)) == list(range(5, 10 * SAMPLES, 10))


def test_estimate_is_near_what_is_made(pair_of, monkeypatch):
    """Most of the image is sampled, not compared; the payload is within the bounds that were told."""
    monkeypatch.setitem(TRIALS, Effort.FAST, replace(TRIALS[Effort.FAST], group=20_000, small=20_000))
    old = program(1, 700_000) + noise(2, 100_000)
    pair = pair_of(old, program(1, 600_000, 64) + noise(3, 60_000) + program(5, 90_000) + old[-100_000:])
    told = estimate(pair.old, pair.new, workers=2)
    made = pair.make(Making(Effort.FAST))

    assert told.low < made.length < told.high
    assert 0 < told.compared < told.different / 2
    assert told.known + told.different == pair.new.stat().st_size
    assert told == estimate(pair.old, pair.new, workers=1)


def test_identical_images_need_next_to_nothing(pair_of):
    """Nothing is different, nothing compared."""
    pair = pair_of(noise(1, 65_536), noise(1, 65_536))
    told = estimate(pair.old, pair.new, workers=1)

    assert (told.known, told.different, told.compared) == (65_536, 0, 0)
    assert told.low < pair.make().length < told.high < 500


def test_estimate_can_be_cancelled_and_names_what_is_missing(pair_of, tmp_path):
    """As making can, and does."""
    pair = pair_of(program(1, 65_536), program(1, 65_536, 64))
    with pytest.raises(MakingCancelled):
        estimate(pair.old, pair.new, workers=1, cancelled=lambda: True)
    with pytest.raises(UsageError, match="absent cannot be read: No such file"):
        estimate(tmp_path / "absent", pair.new, workers=1)


class Listener(Silence):
    """Keeps what a person would read."""

    def __init__(self) -> None:
        self.notes = []

    def note(self, text: str) -> None:
        """See Progress."""
        self.notes.append(text)


def test_advice_comes_with_the_estimate(pair_of):
    """Whoever asks first learns that another image would give a smaller delta."""
    volume = b"LUKS\xba\xbe\0\2" + noise(1, 65_528)
    pair = pair_of(volume, volume[:40_000] + noise(2, 25_536))
    listener = Listener()

    estimate(pair.old, pair.new, listener, workers=1)

    assert ["an encrypted volume begins at byte 0" in note for note in listener.notes] == [True]
