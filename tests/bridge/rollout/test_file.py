"""The reader of rollout files: what may be written, and what a person is told who wrote something else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.rollout.file import MAX_FILE_BYTES, parse_rollout, read_rollout
from bridge.rollout.model import FleetPart, Rollout, Stage
from bridge.rollout.rules import Budget, LateJoiners
from bridge.rollout.shape import misfits, rollout_type
from tests.bridge.contradictory_rollouts import BEYOND, EXCLUSIVE
from tests.bridge.rollouts import FLEETS, GOOD, staged
from tests.bridge.wrong_rollouts import NOT_YAML, SHAPE

WRONG = NOT_YAML | SHAPE | EXCLUSIVE | BEYOND


def test_a_rollout_file_is_read():
    """All that the example says, defaults for the rest."""
    rollout = parse_rollout(GOOD, "rollout.yaml", FLEETS)

    assert rollout.name == "gates"
    assert rollout.fleets == ("factory", "depot")
    assert rollout.stages == (Stage(10), Stage(50), Stage(100))
    assert rollout.budget == Budget(2)
    assert rollout.timeout_minutes == 60


def test_a_fleet_may_be_a_part_of_it():
    """A name, or a mapping that chooses."""
    text = GOOD.replace("depot", "{name: depot, group: pilot, query: 'a > 1'}")

    rollout = parse_rollout(text, "rollout.yaml", FLEETS)

    assert rollout.parts == (FleetPart("factory"), FleetPart("depot", "pilot", "a > 1"))


def test_stages_grow_for_each_set_of_models():
    """A stage without models follows stages without models only; null is absence."""
    text = staged(
        "  - devices: {factory: [a]}\n    percent: null\n  - count: 3\n  - {percent: 100, models: [a]}\n"
        "  - {percent: 5, models: [b]}\n  - {percent: 1}\n  - {percent: 10, models: [b]}\n  - {percent: 20}\n"
    )

    rollout = parse_rollout(text + "late_joiners: include\n", "rollout.yaml", FLEETS)

    assert [stage.percent for stage in rollout.stages] == [None, None, 100, 5, 1, 10, 20]
    assert rollout.late_joiners is LateJoiners.INCLUDE


def test_aliases_are_taken():
    """What is said twice may be written once."""
    text = staged("  - {percent: 5, models: &ours [m1, m2]}\n  - {percent: 9, models: *ours}\n")

    assert [stage.models for stage in parse_rollout(text, "r", FLEETS).stages] == [("m1", "m2"), ("m1", "m2")]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_its_line_and_what_would_be_right(case):
    """File, line, field, what it should be; exit code 2."""
    text, message = WRONG[case]

    with pytest.raises(UsageError) as refusal:
        parse_rollout(text, "rollout.yaml", FLEETS)

    assert (
        str(refusal.value).startswith(message) or f"\n{message}" in str(refusal.value) or message in str(refusal.value)
    )
    assert refusal.value.exit_code == 2


def test_all_mistakes_are_told_at_once_in_order_of_lines():
    """Who mends a file wants the whole list; who wrote another kind of file wants the beginning of it."""
    text = GOOD.replace("percent: 50", "percent: 50%").replace("name: gates", "nam: gates")

    with pytest.raises(UsageError) as refusal:
        parse_rollout(text, "rollout.yaml", FLEETS)
    assert [line.split(": ")[:2] for line in str(refusal.value).splitlines()] == [
        ["rollout.yaml:1", "nam"],
        ["rollout.yaml:1", "name"],
        ["rollout.yaml:6", "stages[1].percent"],
    ]

    with pytest.raises(UsageError) as refusal:
        parse_rollout("".join(f"key{number}: 1\n" for number in range(50)), "rollout.yaml", FLEETS)
    assert len(str(refusal.value).splitlines()) == 11
    assert str(refusal.value).endswith("rollout.yaml: and 44 more")


@given(
    st.binary(max_size=200)
    | st.text("[]{}&*a:-\n \"'!<>|#,?%\\UuxF09.", max_size=60).map(str.encode)
    | st.sampled_from([text for text, _ in WRONG.values() if len(text) < 2000]).map(str.encode)
)
def test_no_bytes_do_anything_but_be_refused(tmp_path_factory, data):
    """Whatever is in the file, the answer is a sentence that begins with its name."""
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)

    with pytest.raises(UsageError, match=r"any\.yaml"):
        read_rollout(file, FLEETS)


FIELDS = st.sampled_from(
    ["name", "fleets", "stages", "percent", "devices", "gates", "health", "limit", "soak", "pace", "windows", "cron"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(VALUES, FIELDS)
def test_the_words_of_a_refusal_agree_with_the_model(value, field):
    """What the walk over the model finds wrong, msgspec refuses; what msgspec refuses, the walk can explain."""
    good = {"name": "a", "release": "b", "fleets": ["factory"], "stages": [{"percent": 1}]}
    for document in (value, good | {field: value}, good | {"stages": [{field: value}]}, good | {"gates": value}):
        explained = list(misfits(document, rollout_type()))
        try:
            msgspec.convert(document, Rollout)
        except msgspec.ValidationError:
            assert explained
        else:
            assert explained == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    """Missing, too large, or not UTF-8."""
    large, foreign = tmp_path / "large.yaml", tmp_path / "latin1.yaml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    foreign.write_bytes(b"name: caf\xe9\n")

    with pytest.raises(
        UsageError, match=r"missing\.yaml cannot be read: No such file.*`otabridge rollout new .*` writes one"
    ):
        read_rollout(tmp_path / "missing.yaml", FLEETS)
    with pytest.raises(UsageError, match="larger than 2097152 bytes"):
        read_rollout(large, FLEETS)
    with pytest.raises(UsageError, match="not UTF-8 text at byte 9"):
        read_rollout(foreign, FLEETS)


FILES = """\
freeze: [holidays.ics]
roll_back:
  release: old
approvals:
  threshold: 1
  approvers:
    - keys/ana.pub
    - {elsewhere}
"""


def test_files_that_the_rollout_names_lie_beside_it(tmp_path):
    """Relative to the rollout file, or with a whole path; the former release may be a folder."""
    elsewhere = tmp_path / "ben.pub"
    file = write(tmp_path / "here", FILES.format(elsewhere=elsewhere))
    for path in (elsewhere, tmp_path / "here/keys/ana.pub", tmp_path / "here/holidays.ics"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "here/old").mkdir()

    rollout = read_rollout(file, FLEETS)

    assert rollout.freeze == ("holidays.ics",)
    assert rollout.approvals.approvers == ("keys/ana.pub", str(elsewhere))


def test_files_that_are_not_there_are_refused(tmp_path):
    """Each with its field and line; a folder is no key, and a path may be too long for the system."""
    file = write(tmp_path, FILES.format(elsewhere="x" * 300))
    key = tmp_path / "keys/ana.pub"
    key.mkdir(parents=True)

    with pytest.raises(UsageError) as refusal:
        read_rollout(file, FLEETS)

    assert str(refusal.value).splitlines() == [
        f"{file}:10: freeze[0]: there is no file {tmp_path}/holidays.ics; paths are relative to the rollout file",
        f"{file}:12: roll_back.release: there is no file {tmp_path}/old; paths are relative to the rollout file",
        f"{file}:16: approvals.approvers[0]: there is no file {key}; paths are relative to the rollout file",
        f"{file}:17: approvals.approvers[1]: {tmp_path}/{'x' * 300} cannot be looked at: File name too long",
    ]


def write(folder, more):
    """The good rollout file with more fields."""
    folder.mkdir(exist_ok=True)
    file = folder / "rollout.yaml"
    file.write_text(GOOD + more)
    return file
