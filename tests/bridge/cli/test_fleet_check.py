"""`otabridge fleet check`: one probe a line, and an exit code that says what they came to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bridge.fleet import FleetError
from bridge.probing import Duty, Finding, Found

OK = Finding(Found.OK, "allowed")
MISSING = Finding(Found.MISSING, "AccessDenied: no", "s3:PutObject on arn:aws:s3:::b/*", "publisher_principals")
NO_ROLE = Finding(Found.MISSING, "NoSuchEntity: gone", "the role presign")
UNKNOWN = Finding(Found.UNKNOWN, "the network is away")


@dataclass
class Probed:
    """A probe that finds what a test says."""

    name: str
    finding: Finding
    duties: frozenset[Duty] = frozenset(Duty)
    tried: str = "try it"

    def run(self, duty):
        """Remembers for whom."""
        self.asked = duty
        return self.finding


@pytest.fixture
def check(desk, monkeypatch):
    """Runs `fleet check factory` with these probes."""

    def run(probes, *options):
        monkeypatch.setattr("bridge.cli.fleet_check.fleet_probes", lambda _config, name: probes if name else ())
        return desk.otabridge("fleet", "check", "factory", *options)

    return run


ENDS = {
    "all proven": ([OK, OK], 0, ""),
    "one is missing": ([OK, MISSING, UNKNOWN], 34, "otabridge: fleet factory: 1 of 3 probes found something missing\n"),
    "one could not tell": (
        [OK, UNKNOWN],
        35,
        "otabridge: fleet factory: nothing is known to be missing, but 1 of 2 probes could not tell\n",
    ),
}


@pytest.mark.parametrize(("findings", "code", "words"), ENDS.values(), ids=ENDS)
def test_the_exit_code_tells_what_they_came_to(check, findings, code, words):
    """What is missing weighs more than what could not be told."""
    done = check([Probed(f"probe{number}", finding) for number, finding in enumerate(findings)])

    assert (done.code, done.err) == (code, words)
    assert len(done.out.splitlines()) == len(findings)


def test_each_line_says_what_was_tried_what_is_missing_and_what_mends_it(check):
    """In the cloud's own words, and the Terraform module's."""
    done = check([Probed("a", OK), Probed("b", MISSING), Probed("c", NO_ROLE), Probed("d", UNKNOWN)])

    ok, missing, no_role, unknown = (" ".join(line.split()) for line in done.out.splitlines())
    assert ok == "ok a try it"
    assert missing == (
        "missing b try it: missing s3:PutObject on arn:aws:s3:::b/*; Terraform variable publisher_principals"
    )
    assert no_role == "missing c try it: missing the role presign; NoSuchEntity: gone"
    assert unknown == "could not tell d try it: the network is away"


def test_the_same_as_json(check):
    """For programs; the exit code is the same."""
    done = check([Probed("b", MISSING)], "-o", "json")

    assert done.code == 34
    assert done.json == {
        "fleet": "factory",
        "duties": ["controller", "publisher", "viewer"],
        "probes": [
            {
                "probe": "b",
                "tried": "try it",
                "found": "missing",
                "said": "AccessDenied: no",
                "needs": "s3:PutObject on arn:aws:s3:::b/*",
                "variable": "publisher_principals",
            }
        ],
        "missing": 1,
        "unknown": 0,
        "schema": 1,
    }


def test_only_what_a_duty_needs_is_tried(check):
    """A publisher's pipeline has no rights on jobs, and needs none."""
    put = Probed("put", OK, frozenset({Duty.PUBLISHER, Duty.CONTROLLER}))
    act = Probed("act", MISSING, frozenset({Duty.CONTROLLER}))

    published = check([put, act], "--duty", "publisher")
    asked = put.asked
    both = check([put, act], "--duty", "publisher", "--duty", "controller")

    assert (published.code, len(published.out.splitlines()), asked) == (0, 1, Duty.PUBLISHER)
    assert (both.code, len(both.out.splitlines()), put.asked) == (34, 2, Duty.CONTROLLER)


def test_without_credentials_nothing_is_proven(check):
    """One sentence, and no list of guesses."""

    class Nobody(Probed):
        def run(self, _duty):
            raise FleetError("fleet factory: Unable to locate credentials")

    done = check([Nobody("who", OK), Probed("a", MISSING)])

    assert (done.code, done.out) == (1, "")
    assert done.err == "otabridge: fleet factory: Unable to locate credentials\n"


def test_an_unknown_fleet_is_a_misuse(desk):
    """Before any cloud is asked."""
    done = desk.otabridge("fleet", "check", "dept")

    assert done.code == 2
    assert "fleets.dept is missing; configured fleets: depot, factory" in done.err
