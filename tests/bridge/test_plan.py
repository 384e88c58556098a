"""Plans: what a rollout file may say, and what it settles."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.fleet import FleetError
from bridge.plan import SignedRelease, differences, digest_of, make_plan, read_request, warnings
from bridge.release.errors import MalformedRelease
from bridge.rollout import Budget, Stage
from bridge.rollout_file import MAX_FILE_BYTES, parse_rollout, read_rollout
from tests.bridge.fakes import FakeFleet, Refuse
from tests.bridge.worlds import ids, new_request
from tests.releases import ReleaseKit

FLEETS = ("factory", "depot")
GOOD = """\
name: gates
release: releases/2.0.0
fleets: [factory, depot]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
budget:
  failures: 2
"""


def test_a_rollout_file_is_read():
    """All that the example says, defaults for the rest."""
    rollout = parse_rollout(GOOD, "rollout.yaml", FLEETS)

    assert rollout.name == "gates"
    assert rollout.fleets == ("factory", "depot")
    assert rollout.stages == (Stage(10), Stage(50), Stage(100))
    assert rollout.budget == Budget(2)
    assert rollout.timeout_minutes == 60


WRONG = {
    "empty": ("", "rollout.yaml: the file is empty"),
    "not YAML": ("name: [", "rollout.yaml:1: not valid YAML: expected the node content, but found '<stream end>'"),
    "a tab": ("name: gates\n\trelease: x", "rollout.yaml:2: not valid YAML: found character '\\t'"),
    "two documents": (GOOD + "---\nname: b\n", "rollout.yaml:10: not valid YAML: but found another document"),
    "a list": ("- gates", "rollout.yaml:1: expected `object`, got `array`"),
    "an unknown field": (
        GOOD + "pace: 3\n",
        "rollout.yaml:10: pace: no such field; known here are name, release, fleets, stages, budget, group, ",
    ),
    "an unknown field of the budget": (
        GOOD.replace("failures: 2", "failure: 2"),
        "rollout.yaml:9: budget.failure: no such field; known here are failures, percent",
    ),
    "an unknown field of a stage": (
        GOOD.replace("percent: 50", "count: 50"),
        "rollout.yaml:6: stages[1].count: no such field; known here are percent",
    ),
    "a missing field": ("name: gates\n", "rollout.yaml:1: object missing required field `release`"),
    "a name that the clouds refuse": (
        GOOD.replace("gates", "Gates 2"),
        "rollout.yaml:1: name: must be lower-case letters, digits and dashes, at most 40 characters",
    ),
    "a name with a line break": (
        GOOD.replace("gates", '"gates\\n"'),
        "rollout.yaml:1: name: must be lower-case letters",
    ),
    "a stage of nobody": (
        GOOD.replace("percent: 10\n", "percent: 0\n"),
        "rollout.yaml:5: stages[0].percent: expected `float` > 0.0",
    ),
    "a stage of more than all": (
        GOOD.replace("100", "101"),
        "rollout.yaml:7: stages[2].percent: expected `float` <= 100.0",
    ),
    "a stage that is no number": (GOOD.replace("100", ".nan"), "rollout.yaml:7: stages[2].percent: expected `float`"),
    "stages that do not grow": (
        GOOD.replace("50", "10"),
        "rollout.yaml:6: stages[1].percent: 10 does not exceed the stage before (10); percentages are cumulative",
    ),
    "no stages": (
        GOOD[: GOOD.index("stages")] + "stages: []\n",
        "rollout.yaml:4: stages: expected `array` of length >= 1",
    ),
    "a word that YAML takes for false": (
        GOOD.replace("depot", "no"),
        "rollout.yaml:3: fleets[1]: expected `str`, got `bool`",
    ),
    "a fleet twice": (
        GOOD.replace("depot", "factory"),
        "rollout.yaml:3: fleets[1]: fleet factory is named twice; name it once",
    ),
    "a key twice": (GOOD + "name: other\n", "rollout.yaml:10: name is given twice; keep one of them"),
    "a negative budget": (
        GOOD.replace("failures: 2", "failures: -1"),
        "rollout.yaml:9: budget.failures: expected `int` >= 0",
    ),
    "a list as key": ("? [a]\n: b\n", "rollout.yaml:1: a key must be a plain word"),
    "a number as key": (GOOD + "1: 2\n", "rollout.yaml:1: expected `str`"),
    "an object of Python": (
        "name: !!python/object/apply:os.system [x]\n",
        "rollout.yaml:1: not valid YAML: could not determine a constructor",
    ),
    "nested without end": ("[" * 60_000, "rollout.yaml:1: nested deeper than 8 levels"),
    "an alias to itself": ("name: &a [*a]\n", "rollout.yaml:1: an alias nests deeper than 8 levels"),
    "aliases that multiply": (
        "a: &a [x]\n"
        + "".join(
            f"{key}: &{key} [{', '.join(['*' + before] * 9)}]\n" for before, key in zip("abcd", "bcde", strict=True)
        ),
        "or more than 16 aliases",
    ),
    "bytes that are no text": ("name: \x00\n", "rollout.yaml: not valid YAML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_its_line_and_what_would_be_right(case):
    """File, line, field, what it should be; exit code 2."""
    text, message = WRONG[case]

    with pytest.raises(UsageError) as refusal:
        parse_rollout(text, "rollout.yaml", FLEETS)

    assert message in str(refusal.value)
    assert refusal.value.exit_code == 2


@given(st.text(max_size=200) | st.text("[]{}&*a:-\n \"'!<>|#,?", max_size=60))
def test_no_text_does_anything_but_be_refused(text):
    """Whatever is in the file, the answer is a sentence."""
    with pytest.raises(UsageError, match=r"^f\.yaml"):
        parse_rollout(text, "f.yaml", FLEETS)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    """Missing, too large, or not UTF-8."""
    large, foreign = tmp_path / "large.yaml", tmp_path / "latin1.yaml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    foreign.write_bytes(b"name: caf\xe9\n")

    with pytest.raises(UsageError, match=r"missing\.yaml cannot be read: No such file"):
        read_rollout(tmp_path / "missing.yaml", FLEETS)
    with pytest.raises(UsageError, match="larger than 65536 bytes"):
        read_rollout(large, FLEETS)
    with pytest.raises(UsageError, match="not UTF-8 text at byte 9"):
        read_rollout(foreign, FLEETS)


def fleets(factory: int = 20, depot: int = 5) -> dict[str, FakeFleet]:
    """Two fleets of so many devices."""
    return {"factory": FakeFleet("factory", ids("f", factory)), "depot": FakeFleet("depot", ids("d", depot))}


def test_each_stage_takes_its_share_of_each_fleet():
    """10, 50, 100 per cent of 20 and of 5 devices."""
    plan = make_plan(new_request(), fleets())

    assert [[len(cohort.devices) for cohort in stage.cohorts] for stage in plan.stages] == [[2, 1], [8, 2], [10, 2]]
    assert [stage.size for stage in plan.stages] == [3, 10, 12]
    assert warnings(plan) == ()


def test_a_plan_is_the_same_whatever_the_order_of_listing():
    """So is its digest; any other content has another."""
    forward, backward = fleets(), fleets()
    for fleet in backward.values():
        fleet.ids = tuple(reversed(fleet.ids))

    plan = make_plan(new_request(), forward)

    assert plan == make_plan(new_request(), backward)
    assert plan.digest == digest_of(plan)
    assert plan.digest != make_plan(new_request(document=b"another"), forward).digest
    assert plan.digest != make_plan(new_request(budget={"failures": 1}), forward).digest
    assert plan.digest != make_plan(new_request(), fleets(factory=21)).digest


def test_a_plan_survives_its_encoding():
    """The store keeps it as JSON; the digest still holds."""
    plan = make_plan(new_request(stages=[{"percent": 33.3}]), fleets())

    read = msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))

    assert read == plan
    assert digest_of(read) == plan.digest


def test_only_the_group_is_planned():
    """The cloud's own group bounds the rollout."""
    plan = make_plan(new_request(group="f-00"), fleets())

    assert sum(stage.size for stage in plan.stages) == 10
    assert warnings(plan) == ("fleet depot lists no device",)


def test_what_a_person_should_know_is_said():
    """Stages without devices, and a rollout that does not reach everybody."""
    plan = make_plan(new_request(stages=[{"percent": 10}, {"percent": 20}, {"percent": 90}]), fleets(1, 1))

    assert warnings(plan) == (
        "stage 2 (20 %) has no devices: earlier stages have taken them",
        "stage 3 (90 %) has no devices: earlier stages have taken them",
        "the last stage ends at 90 %: the other devices keep their release",
    )


def test_a_rollout_for_nobody_is_refused():
    """A typing error in the group must not look like success."""
    with pytest.raises(UsageError, match="no device in group canteen in factory, depot; nothing to update"):
        make_plan(new_request(group="canteen"), fleets())


def test_a_fleet_that_lists_without_end_is_refused(monkeypatch):
    """What a cloud says is bounded."""
    monkeypatch.setattr("bridge.plan.MAX_DEVICES", 19)

    with pytest.raises(UsageError, match="fleet factory lists more than 19 devices"):
        make_plan(new_request(), fleets())


def test_a_fleet_that_cannot_list_is_named():
    """The error says which one, and whether waiting may help."""
    both = fleets()
    both["depot"].hook = Refuse(("devices",))

    with pytest.raises(FleetError, match="fleet depot: throttled") as refusal:
        make_plan(new_request(), both)

    assert refusal.value.retryable


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"stages": [{"percent": 100}]}, ("stages",)),
        ({"budget": {"failures": 3}, "fleets": ["factory"]}, ("fleets", "budget")),
        ({"document": b"another"}, ("release (its contents)",)),
        ({"release": "elsewhere", "document": b"another"}, ("release",)),
    ],
)
def test_differences_are_named_by_field(changes, expected):
    """What a person changed in the file, or in the release that it names."""
    plan = make_plan(new_request(), fleets())

    assert differences(plan, new_request(**changes)) == expected


@pytest.mark.parametrize("named", ["releases/2.0.0", "releases/2.0.0/release.json"])
def test_the_release_is_found_beside_the_rollout_file(tmp_path, named):
    """By its folder or its file, relative to the rollout file."""
    package = ReleaseKit().package(b"image")
    file = write(tmp_path, GOOD.replace("releases/2.0.0", named), package.document)

    request = read_request(file, ["depot", "factory"])

    assert request.signed == SignedRelease(tmp_path / "releases/2.0.0", package.document, package.release)


def test_a_fleet_that_is_not_configured_is_refused(tmp_path):
    """With the names that are."""
    with pytest.raises(
        UsageError, match=r"rollout\.yaml:3: fleets\[1\]: no fleet depot in the configuration; it has: factory, shed"
    ):
        read_request(write(tmp_path, GOOD, b""), ["shed", "factory"])


def test_a_release_of_another_name_is_refused(tmp_path):
    """What is planned must be what is verified and published: the folder's own release.json."""
    file = write(tmp_path, GOOD.replace("releases/2.0.0", "releases/2.0.0/old.json"), b"")

    with pytest.raises(UsageError, match=r"old\.json must be a release folder, or the release\.json in one"):
        read_request(file, FLEETS)


def test_a_release_that_is_none_is_refused(tmp_path):
    """Missing, or another kind of file."""
    file = write(tmp_path, GOOD, b"{}")

    with pytest.raises(MalformedRelease, match=r"release\.json is not TUF metadata"):
        read_request(file, FLEETS)
    (tmp_path / "releases/2.0.0/release.json").unlink()
    with pytest.raises(UsageError, match=r"rollout\.yaml: release: .*release\.json cannot be read: No such file"):
        read_request(file, FLEETS)


def write(folder: Path, text: str, document: bytes) -> Path:
    """A rollout file, and the release that it names."""
    (folder / "releases/2.0.0").mkdir(parents=True)
    (folder / "releases/2.0.0/release.json").write_bytes(document)
    file = folder / "rollout.yaml"
    file.write_text(text)
    return file
