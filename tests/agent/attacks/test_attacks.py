"""Each attack of the table, against a whole device with the real engine, the real trust and the real channels."""

from __future__ import annotations

import pytest

from agent.slots import Slot
from bridge.release.report import Outcome
from tests.agent.attacks.attack import Attack
from tests.agent.attacks.scene import play
from tests.agent.attacks.table import ATTACKS


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.door}: {attack.name}")
def test_an_attack_ends_on_a_verified_slot_and_is_answered(attack: Attack):
    """The device says what it refused, runs what its owner signed, and takes the owner's next release."""
    ending = play(attack)

    assert ending.report is not None
    assert (ending.report.outcome, ending.report.code) == (attack.outcome, attack.code), ending.report.detail
    assert attack.says in ending.report.detail
    assert (ending.slot, ending.version) == (attack.slot, attack.runs)
    assert ending.is_verified
    assert ending.is_untouched or attack.writes
    assert ending.is_whole
    assert ending.afterwards is Outcome.INSTALLED
    assert ending.is_clean


def test_every_attack_has_a_name_of_its_own():
    """Behind one door."""
    names = [(attack.door, attack.name) for attack in ATTACKS]

    assert len(names) == len(set(names))


def test_what_is_installed_is_explained():
    """A row that ends with an installation says why that is right, and one with a code says which words are read."""
    for attack in ATTACKS:
        assert bool(attack.so) == (attack.outcome is Outcome.INSTALLED) == (attack.code is None), attack.name
        assert bool(attack.says) == (attack.code is not None), attack.name
        assert attack.slot in set(Slot)
