"""What is asked of IoT Hub: read back by the simulated hub's own parser, held against twins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet import queries
from adapters.azure.simulator.query import matches
from adapters.azure.simulator.query_language import parse_condition, parse_query
from adapters.azure.simulator.query_tree import Comparison, Literal
from adapters.azure.wire import Word

STAGE = "otabridge-spring-1-0123456789abcdef"
IDS = st.text("abcXYZ019-:.+%_#*?!(),=@$';", min_size=1, max_size=128)
GROUPS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=queries.MAX_GROUP)
MOMENT = "2026-03-01T12:00:00.000000Z"


def twin(device: str = "gate-1", *, group: str | None = None, stage: str | None = None, was=None, standing=None):
    """A twin as queries see it."""
    tags = {"ADUGroup": group, "otabridge": {"stage": stage, "was": was} if stage else None}
    reported = {"otabridge": {"standing": standing}} if standing else {}
    return _defined({"deviceId": device, "tags": tags, "properties": {"reported": reported}})


def _defined(value):
    if not isinstance(value, dict):
        return value
    return {name: _defined(each) for name, each in value.items() if each is not None}


@given(GROUPS)
def test_a_text_survives_its_quotes(text):
    """Quotes and backslashes in a group's name end no string."""
    condition = parse_condition(f"tags.ADUGroup = {queries.quoted(text)}")

    assert isinstance(condition, Comparison)
    assert condition.right == Literal(text)


@given(st.lists(IDS, unique=True, max_size=400), GROUPS)
def test_chunks_hold_every_device_once_and_fit(devices, group):
    """Whatever the ids and the group, no query and no condition is longer than the hub takes."""
    chunks = list(queries.chunks(devices))

    assert [device for chunk in chunks for device in chunk] == devices
    for chunk in chunks:
        assert len(queries.members(chunk)) <= queries.MOST_CHARACTERS
        assert len(queries.joining(chunk, group)) <= queries.MOST_CHARACTERS


def test_chunks_are_few():
    """Fifteen hundred devices with ordinary names take a handful of queries."""
    assert len(list(queries.chunks([f"device-{number:05}" for number in range(1500)]))) == 3


@pytest.mark.parametrize("device", ["gate-1", "a" * 128, "it's", "a:b.c+d%e_f#g*h?i!j(k)l,m=n@o$p;q"])
def test_an_id_of_the_hub_is_one(device):
    """All of IoT Hub's characters, and it finds its twin."""
    assert queries.is_device_id(device)
    assert matches(parse_condition(queries.among([device])), twin(device))


@pytest.mark.parametrize("device", ["", "a" * 129, "a b", "gäte", "a/b", "a\\b", 'a"b', "a\n"])
def test_other_names_are_no_ids(device):
    """They would be refused by the hub in the middle of a stage."""
    assert not queries.is_device_id(device)


JOINING = [
    ("eu", twin(group="eu"), True),
    ("eu", twin(group="us"), False),
    ("eu", twin(), False),
    (None, twin(), True),
    (None, twin(group="eu"), False),
    ("eu", twin("gate-9", group="eu"), False),
]


@pytest.mark.parametrize(("group", "found", "joins"), JOINING)
def test_only_who_is_still_in_the_group_joins(group, found, joins):
    """A device whose tag changed meanwhile is left for the next look."""
    assert matches(parse_condition(queries.joining(["gate-1"], group)), found) is joins


UNBEGUN = [
    (twin(group=STAGE, stage=STAGE, was="eu"), True),
    (twin(group=STAGE, stage=STAGE, was="eu", standing="other/installed"), True),
    (twin(group=STAGE, stage=STAGE, was="eu", standing=f"{STAGE}/nonsense"), True),
    *((twin(group=STAGE, stage=STAGE, was="eu", standing=f"{STAGE}/{word}"), False) for word in Word),
    (twin(group="eu", stage=STAGE, was="eu"), False),
    (twin(group=STAGE, stage=STAGE), False),
]


@pytest.mark.parametrize(("found", "is_taken"), UNBEGUN)
def test_only_who_has_not_begun_is_taken_out(found, is_taken):
    """A device that has said a word of this stage stays."""
    assert matches(parse_condition(queries.borrowed(STAGE, "eu", unbegun=True)), found) is is_taken


def test_devices_without_an_earlier_group_are_found():
    """Undefined compares with nothing, so it has a condition of its own."""
    condition = parse_condition(queries.borrowed(STAGE, None))

    assert matches(condition, twin(group=STAGE, stage=STAGE))
    assert not matches(condition, twin(group=STAGE, stage=STAGE, was="eu"))


def test_a_stage_never_takes_a_device_twice():
    """Neither one that is in it, nor one that another stage took from it, whose tag outlives that stage."""
    free = parse_condition(queries.never_in(STAGE, ""))
    taken = twin(group="eu")
    taken["tags"][queries.moved_tag(STAGE)] = "failed"

    assert matches(free, twin(group="eu"))
    assert matches(free, twin(group="eu", stage="another"))
    assert not matches(free, twin(group=STAGE, stage=STAGE))
    assert not matches(free, taken)
    assert matches(parse_condition(queries.has_moved_on(STAGE)), taken)


@given(st.lists(IDS, unique=True, min_size=1, max_size=400), GROUPS)
def test_devices_to_be_taken_over_fit_into_what_a_job_asks(devices, was):
    """Whatever the ids and the group that they came from, and for the longest name that a stage can have."""
    stage, other = (f"otabridge-{letter * 36}-0123456789abcdef" for letter in "ab")
    for chunk in queries.chunks(devices, queries.ROOM):
        those = queries.never_in(stage, queries.among(chunk))
        for asked in (queries.ended(other, those, Word.FELL_BACK), queries.begun_before(other, those, MOMENT)):
            assert len(queries.from_group(asked, was)) <= queries.MOST_CHARACTERS
            assert len(queries.origins(asked)) <= queries.MOST_CHARACTERS


FORGETTING = [
    (twin(group="eu", stage=STAGE), True),
    (twin(stage=STAGE), True),
    (twin(group=STAGE, stage=STAGE), False),
    (twin(group=STAGE, stage=STAGE, was="eu"), False),
    (twin(group="eu"), False),
]


@pytest.mark.parametrize(("found", "is_forgotten"), FORGETTING)
def test_only_who_is_out_of_the_group_is_forgotten(found, is_forgotten):
    """Who is still in it has the name of its own group nowhere else."""
    assert matches(parse_condition(queries.out_of_group(STAGE)), found) is is_forgotten


TEXTS = [
    queries.described(""),
    queries.counted(queries.among(["gate-1"])),
    queries.models(""),
    queries.agent_models(""),
    queries.unjoined(STAGE, ""),
    queries.group_by_stage(STAGE),
    queries.was_reset([STAGE]),
    queries.elsewhere([STAGE, "other"], "(tags.hot = true)"),
    queries.elsewhere([], ""),
    queries.members(["gate-1"]),
    queries.group_size(STAGE),
    queries.stage_size(STAGE),
    queries.standings(STAGE),
    queries.late(STAGE, MOMENT),
    queries.late_devices(STAGE, MOMENT),
    queries.bad_devices(STAGE),
    queries.moved_on(STAGE),
    queries.standings_of(STAGE, queries.among(["gate-1"])),
    queries.origins(queries.ended(STAGE, queries.among(["gate-1"]), Word.FAILED)),
    queries.counted(queries.begun_before(STAGE, "", MOMENT)),
    queries.borrowed_from(STAGE),
    queries.borrowed_from(STAGE, unbegun=True),
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_hub_reads_every_query(text):
    """And all are about devices."""
    assert parse_query(text).source == "devices"
