"""The record of a stage order: what is written is what is read, and nonsense is refused."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet.orders import (
    Held,
    OrderRecord,
    State,
    adopted_record,
    is_final,
    new_record,
    opened,
    parse_record,
    render_record,
)
from adapters.azure.fleet.request import StageRequest
from adapters.azure.fleet.selection import Selection
from adapters.azure.wire import UpdateId
from bridge.fleet import DeviceReport
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome
from bridge.tally import Tally
from tests.releases import new_release

UPDATE = UpdateId("contoso", "gateway-os", "2.0.0")
COUNTS = st.integers(0, 10**6)
TALLIES = st.builds(Tally, *[COUNTS] * 7, st.booleans(), st.booleans())
REPORTS = st.builds(
    DeviceReport,
    st.text(max_size=9),
    st.sampled_from([None, *Outcome]),
    st.sampled_from([None, *FailureCode]),
    st.text(max_size=20),
)
RECORDS = st.builds(
    OrderRecord,
    key=st.text(max_size=9),
    size=COUNTS,
    timeout_minutes=COUNTS,
    release_sha256=st.text(max_size=9),
    roots_sha256=st.just(""),
    update_id=st.just(UPDATE),
    state=st.sampled_from(State),
    import_operation=st.text(max_size=9),
    examined=COUNTS,
    tagged=COUNTS,
    admitted=st.none() | COUNTS,
    joined=st.none() | COUNTS,
    behind=COUNTS,
    aside=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    lent=st.booleans(),
    jobs=COUNTS,
    stopped_reason=st.text(max_size=9),
    tally=st.one_of(st.none(), TALLIES),
    reports=st.lists(REPORTS, max_size=3).map(tuple),
)


def request(devices=("gate-1",), release=b"signed", roots=b"") -> StageRequest:
    """A request as a stage order becomes one."""
    return StageRequest(
        "otabridge-x", "spring/1", UPDATE, new_release(artifacts=()), release, roots, devices, 30, "acme"
    )


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record):
    """Every field."""
    assert parse_record(render_record(record)) == record


BAD = [
    b"",
    b"{}",
    b"[1]",
    b"\xff",
    b"[" * 3000,
    render_record(new_record(request())).replace(b'"schema":1', b'"schema":2'),
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_record_is_refused(text):
    """Somebody else's blob, or a later program's."""
    with pytest.raises(ValueError, match="no record of a stage order"):
        parse_record(text)


def test_a_record_from_a_later_minor_version_is_read():
    """Members that this program does not know are left alone."""
    members = msgspec.json.decode(render_record(new_record(request())))

    assert parse_record(msgspec.json.encode({**members, "weather": "fine"})) == parse_record(
        msgspec.json.encode(members)
    )


def test_an_order_begins_at_the_start():
    """Nothing was done for it, and it has no tally."""
    record = new_record(request(("gate-1", "gate-2")))

    assert (record.state, record.size, record.tally, record.jobs) == (State.STARTING, 2, None, 0)


def test_an_order_without_devices_is_over():
    """It needs nothing of Azure but its record."""
    record = new_record(request(()))

    assert (record.state, record.tally) == (State.CLOSED, Tally(open=False))


def test_an_order_belongs_to_one_release():
    """And to one chain of roots."""
    record = new_record(request())

    assert record.offers(request())
    assert not record.offers(request(release=b"other"))
    assert not record.offers(request(roots=b"other"))


@given(st.text(max_size=60), st.integers(1, 10**9))
def test_every_job_has_a_name_that_the_hub_takes(key, number):
    """At most 64 letters, digits and dashes (IoT Hub developer guide, jobs)."""
    name = Held(stage_name(key), msgspec.structs.replace(new_record(request()), jobs=number), "1").job_id

    assert len(name) <= 64
    assert name.replace("-", "").isalnum()
    assert name.isascii()


def test_jobs_of_an_order_whose_record_was_lost_have_other_names():
    """The hub keeps ended jobs: one of the same name would be taken for this one."""
    first, second = (Held("otabridge-x", new_record(request()), "1").job_id for _ in range(2))

    assert first != second


def test_an_order_that_is_adopted_is_to_be_stopped():
    """All that is known is how many devices carry its tag."""
    record = adopted_record("spring/1", 7)

    assert (record.state, record.size, record.tally, record.lent) == (State.STOPPED, 7, None, True)
    assert parse_record(render_record(record)) == record


def test_an_order_is_final_when_all_have_ended():
    """However they did."""
    assert is_final(Tally(installed=1, failed=1, timed_out=1, withdrawn=1, rejected=1), 5)
    assert not is_final(Tally(installed=4, running=1), 5)


def by_bucket(size, admitted=None) -> StageRequest:
    """A request for ten buckets."""
    whole = Selection(buckets=(Buckets(0, 9),))
    return dataclasses.replace(request(()), selection=whole, planned=size, admitted=admitted)


OPENED = [
    (by_bucket(4), 3, (State.OPEN, 3, None, 3)),
    (by_bucket(4), 9, (State.OPEN, 9, None, 9)),
    (by_bucket(4, 2), 3, (State.OPEN, 4, 5, 3)),
    (by_bucket(4, 2), 5, (State.OPEN, 5, 5, 5)),
    (by_bucket(4, 2), 0, (State.OPEN, 4, 5, 0)),
    (by_bucket(4), 0, (State.CLOSED, 0, None, 0)),
    (request(("a", "b")), 2, (State.OPEN, 2, None, 2)),
    (dataclasses.replace(request(("a", "b")), admitted=1), 1, (State.OPEN, 2, 1, 1)),
]


@pytest.mark.parametrize(("wanted", "joined", "expected"), OPENED)
def test_an_order_is_for_the_devices_that_joined(wanted, joined, expected):
    """Once all are admitted; without any it is over."""
    record = opened(new_record(wanted), wanted, joined)

    assert (record.state, record.size, record.admitted, record.joined) == expected
    assert (record.tally == Tally(open=False)) is (record.state is State.CLOSED)
    assert record.admits(wanted)


@pytest.mark.parametrize("wanted", [by_bucket(4), request(("a", "b"))])
def test_an_order_that_waits_for_devices_admits_them_later(wanted):
    """They are counted in its size, and `start` is not done yet."""
    behind = msgspec.structs.replace(new_record(wanted), behind=1)

    record = opened(behind, wanted, 1)

    assert (record.state, record.size, record.joined) == (State.OPEN, 2, 1)
    assert not record.admits(wanted)


def test_a_record_from_before_admission_admits_everybody():
    """It was written when all devices joined at once."""
    members = msgspec.json.decode(render_record(new_record(request())))
    old = parse_record(msgspec.json.encode({name: members[name] for name in members if name not in NEW}))

    assert (old.admitted, old.joined) == (None, None)
    assert old.admits(request())
    assert old.admits(dataclasses.replace(request(("a", "b")), admitted=1))


NEW = ("admitted", "joined", "behind", "aside", "lent")
