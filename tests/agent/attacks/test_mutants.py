"""The table can fail: with any one guard taken out of the code, some attack ends otherwise than the table says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Ending, play
from tests.agent.attacks.table import ATTACKS


def nothing(*_: object, **__: object) -> None:
    """A guard that lets everything pass."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """The guard at `target`, replaced; `attack` behind `door` is what it stood against."""

    target: str
    door: Door
    attack: str
    instead: object = nothing


MUTANTS = [
    Mutant("agent.update.judgement.check_facts", Door.RELEASE, "replay below the floor"),
    Mutant("agent.update.judgement.check_facts", Door.RELEASE, "wrong hardware"),
    Mutant("agent.update.judging.require_room", Door.RELEASE, "image longer than the slot"),
    Mutant("bridge.release.trust._require_unexpired", Door.RELEASE, "expired"),
    Mutant("bridge.release.trust._require_unexpired", Door.CLOCK, "freeze"),
    Mutant("bridge.release.trust._require_approval", Door.RELEASE, "threshold one short"),
    Mutant("bridge.release.trust._require_approval", Door.RELEASE, "unsigned"),
    Mutant("bridge.release.trust._require_unaltered", Door.RELEASE, "one key of JSON twice"),
    Mutant("bridge.release.trust._require_unaltered", Door.RELEASE, "unsigned fields"),
    Mutant("bridge.release.trust._require_unaltered", Door.ROOTS, "revoked key"),
    Mutant("bridge.release.trust._require_root_signatures", Door.ROOTS, "root with one holder short"),
    Mutant("bridge.release.trust._require_root_signatures", Door.ROOTS, "root signed by approvers"),
    Mutant("bridge.release.trust.require_sound", Door.ROOTS, "one key under two names"),
    Mutant("agent.update.judgement.MAX_ROOTS", Door.ROOTS, "too many roots", 10**6),
    Mutant("bridge.release.trust.MAX_RELEASE_BYTES", Door.RELEASE, "oversized", 10**9),
    Mutant("agent.update.judging.no_earlier", Door.CLOCK, "clock at 1970, expired release", lambda now, _: now),
    Mutant("agent.download.link.Links._check", Door.URL, "http"),
    Mutant("agent.download.link.Links._check", Door.URL, "lines in a URL"),
    Mutant("agent.download.link._address", Door.URL, "redirect to a metadata service"),
    Mutant("agent.download.link.MAX_REDIRECTS", Door.URL, "endless redirects", 1),
    Mutant("agent.download.answer._check_kind", Door.CONTENT, "captive portal"),
    Mutant("agent.download.answer._check_encoding", Door.CONTENT, "compressed on the way"),
    Mutant("agent.download.answer._check_extent", Door.CONTENT, "longer"),
    Mutant("agent.update.writing.as_signed", Door.CONTENT, "more memory than was signed", lambda chunks, *_: chunks),
    Mutant("agent.update.steps.Read.require", Door.STEPS, "file exchanged"),
    Mutant("agent.update.staging.Staging._require_space", Door.STEPS, "more than there is room for"),
    Mutant("agent.update.judging.require_handlers", Door.STEPS, "a handler that the device lacks"),
    Mutant("agent.update.judging.require_handlers", Door.STEPS, "option in a setting"),
    Mutant("agent.update.steps.Steps.check_slot", Door.STEPS, "an installer that was subverted"),
    Mutant("bridge.release.trust._require_unaltered", Door.STEPS, "another handler"),
    Mutant("bridge.release.manifest.require_order", Door.STEPS, "two steps of the slot"),
    Mutant("adapters.aws.wire._check_schema", Door.AWS, "work for another agent"),
    Mutant("adapters.aws.device.check_signed", Door.AWS, "placeholder left in"),
    Mutant("adapters.azure.channel.acceptance.verify", Door.AZURE, "twin written by somebody else"),
    Mutant("adapters.azure.formats.update_manifest._require_metadata", Door.AZURE, "no metadata"),
]


def attack_of(mutant: Mutant) -> Attack:
    """The row of the table."""
    return next(each for each in ATTACKS if (each.door, each.name) == (mutant.door, mutant.attack))


def is_as_told(attack: Attack, ending: Ending) -> bool:
    """What test_attacks.py asserts."""
    report = ending.report
    answered = report is not None and (report.outcome, report.code) == (attack.outcome, attack.code)
    return answered and attack.says in report.detail and (ending.slot, ending.version) == (attack.slot, attack.runs)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.target} against {mutant.attack}")
def test_a_guard_that_is_taken_out_is_missed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch):
    """The attack gets further, ends in other words, or runs into code that was never meant to meet it."""
    attack = attack_of(mutant)
    monkeypatch.setattr(mutant.target, mutant.instead)
    try:
        ending = play(attack)
    except Exception:  # noqa: BLE001 - a guard that is gone may let anything happen
        return

    assert not is_as_told(attack, ending)
