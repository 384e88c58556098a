"""Several clouds as one channel: whose offer comes when, who hears what, and what one that is down spoils."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field, replace

import pytest

from agent.cloud.channel import Offer, OfferWithdrawn
from agent.cloud.channels import Channels, SoleChannel, Waits
from agent.cloud.folder import LOCAL, is_local
from agent.pace import Backoff
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.release.state import DeviceState

DEADLINE = 20.0
"""Seconds that no test here ever takes."""
SOON = Waits(slice=DEADLINE, head_start=DEADLINE, overrun=DEADLINE, patience=Backoff(0.01, 0.01), hang_up=DEADLINE)
STATE = DeviceState("gateway", "1.0.0", 1, "a", "a", 3, 0, 0, "1", "installed")
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@dataclass
class Cloud:
    """A channel whose waits end when the test puts an answer. It notes what it hears, and that one thread uses it."""

    answers: queue.Queue[str | Exception | None] = field(default_factory=queue.Queue)
    asked: queue.Queue[float] = field(default_factory=queue.Queue)
    heard: list[tuple[str, object]] = field(default_factory=list)
    states: queue.Queue[DeviceState] = field(default_factory=queue.Queue)
    threads: set[int] = field(default_factory=set)
    closed: threading.Event = field(default_factory=threading.Event)

    def next_offer(self, timeout: float) -> Offer | None:
        self._note()
        self.asked.put(timeout)
        try:
            answer = self.answers.get(timeout=timeout) if timeout else self.answers.get_nowait()
        except queue.Empty:
            return None
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else Offer(answer, b"release", (), {})

    def reach(self, timeout: float) -> None:
        """It may take longer than it should."""
        assert timeout > 0
        self._note()
        answer = self.answers.get(timeout=DEADLINE)
        if isinstance(answer, Exception):
            raise answer

    def renew(self, offer_id: str) -> Offer:
        self._note()
        return Offer(offer_id, b"fresh", (), {})

    def progress(self, offer_id: str, progress: Progress) -> None:
        self._note()
        self.heard.append((offer_id, progress))

    def conclude(self, offer_id: str, report: Report) -> None:
        self._note()
        if not offer_id:
            raise OfferWithdrawn("nobody knows it")
        self.heard.append((offer_id, report))

    def state(self, state: DeviceState) -> None:
        self._note()
        self.states.put(state)

    def close(self) -> None:
        self._note()
        self.closed.set()

    def _note(self) -> None:
        self.threads.add(threading.get_ident())


@pytest.fixture
def north():
    """One cloud."""
    return Cloud()


@pytest.fixture
def south():
    """Another."""
    return Cloud()


@pytest.fixture
def begun():
    """The id of the offer that the journal holds, in a list that a test fills."""
    return []


@pytest.fixture
def channels(north, south, begun):
    """A device with both; waits left over are ended."""
    channels = Channels({"north": north, "south": south}, lambda: begun[0] if begun else "", SOON)
    yield channels
    north.answers.put(None)
    south.answers.put(None)
    channels.close()


def test_an_offer_of_either_cloud_comes_while_the_other_is_waited_for(channels, north, south):
    """Nobody has to wait for a cloud that has nothing; the id tells whose it is."""
    south.answers.put("job-1")
    assert channels.next_offer(DEADLINE).id == "south:job-1"

    north.answers.put("job-1")
    assert channels.next_offer(DEADLINE).id == "north:job-1"


def test_what_is_said_of_an_offer_reaches_its_own_cloud(channels, north, south):
    """Under the id that this cloud gave it, and only there."""
    assert channels.renew("south:a:b#2") == Offer("south:a:b#2", b"fresh", (), {})
    channels.progress("north:job-1", Progress(Phase.DOWNLOADING, 10))
    channels.conclude("south:a:b#2", INSTALLED)

    assert north.heard == [("job-1", Progress(Phase.DOWNLOADING, 10))]
    assert south.heard == [("a:b#2", INSTALLED)]


def test_a_cloud_that_is_waited_for_does_not_hold_up_a_report_to_the_other(channels, north, south):
    """The report is through while the wait for south still goes on."""
    north.answers.put("job-1")
    offer = channels.next_offer(DEADLINE)
    south.asked.get(timeout=DEADLINE)
    channels.conclude(offer.id, INSTALLED)

    assert north.heard == [("job-1", INSTALLED)]
    assert (south.asked.qsize(), south.answers.qsize()) == (0, 0)


def test_each_channel_is_used_from_one_thread(channels, north, south):
    """As the port promises; and not from the caller's, which may be interrupted."""
    south.answers.put("job-1")
    channels.next_offer(DEADLINE)
    channels.renew("south:job-1")
    channels.progress("south:job-1", Progress(Phase.ACCEPTED))
    channels.conclude("south:job-1", INSTALLED)

    assert len(south.threads) == 1
    assert not south.threads & (north.threads | {threading.get_ident()})


def test_an_offer_that_came_meanwhile_is_kept(channels, north, south):
    """A wait left behind when another cloud's offer was taken may end with one: it is the next."""
    north.answers.put("job-1")
    channels.next_offer(DEADLINE)
    south.answers.put("job-2")
    channels.conclude("south:later", INSTALLED)  # behind the wait, on the same thread: south's offer is there

    assert channels.next_offer(DEADLINE).id == "south:job-2"
    assert south.asked.qsize() == 1


def test_a_cloud_that_repeats_itself_does_not_hide_the_other(channels, north, south):
    """However fast north is with the same offer: south's had come before."""
    north.answers.put("job-1")
    channels.next_offer(DEADLINE)
    south.answers.put("job-2")
    channels.conclude("south:later", INSTALLED)
    north.answers.put("job-1")

    assert [channels.next_offer(DEADLINE).id for _ in range(2)] == ["south:job-2", "north:job-1"]


def test_the_offer_begun_comes_first(channels, north, south, begun):
    """After a restart north is quicker, but the device is in the middle of south's offer."""
    begun.append("south:job-2")
    north.answers.put("job-1")
    first = threading.Timer(0.05, south.answers.put, ["job-2"])
    first.start()

    assert channels.next_offer(DEADLINE).id == "south:job-2"
    begun.clear()
    assert channels.next_offer(DEADLINE).id == "north:job-1"


@pytest.mark.parametrize("answer", [None, ChannelError("no route")])
def test_an_offer_begun_is_not_waited_for_in_vain(channels, north, south, begun, answer):
    """Where its cloud has no offer any more, or is down, the other's comes."""
    begun.append("south:job-2")
    north.answers.put("job-1")
    south.answers.put(answer)

    assert channels.next_offer(DEADLINE).id == "north:job-1"


def test_a_cloud_that_hangs_is_given_a_head_start_and_no_more(north, south):
    """South, whose offer was begun, says nothing at all."""
    channels = Channels({"north": north, "south": south}, lambda: "south:job-2", Waits(slice=DEADLINE, head_start=0.05))
    north.answers.put("job-1")

    assert channels.next_offer(DEADLINE).id == "north:job-1"
    assert south.asked.qsize() == 1
    south.answers.put(None)


def test_a_cloud_that_is_down_does_not_hide_the_other(channels, north, south):
    """It is asked again meanwhile, and its offer comes once it is back."""
    north.answers.put(ChannelError("no route"))
    north.answers.put(ChannelError("no route"))
    north.answers.put("job-1")

    assert channels.next_offer(DEADLINE).id == "north:job-1"
    assert (north.asked.qsize(), south.asked.qsize()) == (3, 1)


def test_all_clouds_down_is_an_error_that_names_each(channels, north, south):
    """What the agent then says is enough to look after both; it tries again where one of them may come back."""
    north.answers.put(ChannelError("the certificate cannot be read", retryable=False))
    south.answers.put(ChannelError("no route"))

    with pytest.raises(ChannelError) as trouble:
        channels.next_offer(DEADLINE)
    assert str(trouble.value) == ("no cloud can be asked: north: the certificate cannot be read; south: no route")
    assert trouble.value.retryable


def test_a_bug_in_a_channel_is_not_taken_for_an_outage(channels, north):
    """It is raised where it can be seen."""
    north.answers.put(RuntimeError("a bug"))

    with pytest.raises(RuntimeError, match="a bug"):
        channels.next_offer(DEADLINE)


def test_nothing_to_do(channels, north, south):
    """Both answered: the caller learns it, without a second question that would be paid for."""
    north.answers.put(None)
    south.answers.put(None)

    assert channels.next_offer(DEADLINE) is None
    assert (north.asked.qsize(), south.asked.qsize()) == (1, 1)


def test_waits_come_in_slices(north, south):
    """Each wait asked of a cloud is bounded, whatever the caller's patience: so is what it may hold up."""
    channels = Channels({"north": north, "south": south}, waits=Waits(slice=0.05))
    threading.Timer(0.2, north.answers.put, ["job-1"]).start()

    assert channels.next_offer(DEADLINE).id == "north:job-1"
    assert north.asked.qsize() > 1
    assert max(north.asked.get() for _ in range(north.asked.qsize())) == 0.05
    channels.close()


def test_a_wait_ends_in_time(north, south):
    """Nothing came of either cloud."""
    channels = Channels({"north": north, "south": south}, waits=Waits(overrun=DEADLINE))

    assert channels.next_offer(0.05) is None
    assert channels.next_offer(0) is None
    channels.close()
    assert north.closed.is_set()
    assert south.closed.is_set()


def test_refusals_reach_the_caller(channels):
    """What a channel raises is raised here."""
    with pytest.raises(OfferWithdrawn, match="nobody knows it"):
        channels.conclude("north:", INSTALLED)


@pytest.mark.parametrize("offer_id", ["job-1", "east:job-1", "", ":job-1"])
def test_an_offer_from_another_configuration_is_nobodys(channels, north, south, offer_id):
    """A cloud that still wants it offers it again under its own id, and gets its report then."""
    for act in (
        lambda: channels.renew(offer_id),
        lambda: channels.progress(offer_id, Progress(Phase.ACCEPTED)),
        lambda: channels.conclude(offer_id, INSTALLED),
    ):
        with pytest.raises(OfferWithdrawn, match="of none of north, south: it was begun under another configuration"):
            act()
    assert north.heard == south.heard == []


def test_every_cloud_hears_what_the_device_is(channels, north, south):
    """Each on its own thread, before it is waited for, so that none is held up by another."""
    channels.state(STATE)
    north.answers.put("job-1")

    assert channels.next_offer(DEADLINE).id == "north:job-1"
    assert (north.states.get(timeout=DEADLINE), south.states.get(timeout=DEADLINE)) == (STATE, STATE)
    assert {len(north.threads), len(south.threads)} == {1}


def test_a_cloud_that_is_waited_for_does_not_hold_up_the_next_state(channels, north, south):
    """South is told once its wait has ended; nobody waits for that."""
    north.answers.put("job-1")
    channels.next_offer(DEADLINE)
    channels.state(STATE)

    assert south.states.empty()
    south.answers.put(None)
    north.answers.put("job-2")
    channels.next_offer(DEADLINE)
    assert north.states.get(timeout=DEADLINE) == STATE


def test_closing_does_not_wait_for_a_cloud(north, south):
    """North hangs: it is hung up on once its wait ends, and its thread does not keep the process alive."""
    channels = Channels({"north": north, "south": south}, waits=SOON)
    south.answers.put("job-1")
    channels.next_offer(DEADLINE)
    channels.close()
    channels.close()

    assert south.closed.is_set()
    assert not north.closed.is_set()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("line-"))
    north.answers.put(None)
    assert north.closed.wait(DEADLINE)


@pytest.mark.parametrize("cloud", ["folder", "", "no:rth"])
def test_no_cloud_can_be_named_like_a_folder(north, cloud):
    """Its offers would be taken for a person's, and nobody would be told their end."""
    with pytest.raises(ValueError, match="no cloud can be named"):
        Channels({cloud: north})


def test_no_offer_of_a_cloud_is_taken_for_a_folders(channels, north):
    """Whatever id the cloud itself gave it."""
    north.answers.put(f"{LOCAL}abc")

    assert not is_local(channels.next_offer(DEADLINE).id)


def test_one_cloud_alone_keeps_its_own_ids(north):
    """A device of one cloud is as it always was; colons of its cloud's own are left alone."""
    channel = SoleChannel("north", north, ("north", "south"))
    north.answers.put("urn:job-1")

    assert channel.next_offer(DEADLINE).id == "urn:job-1"
    assert channel.renew("urn:job-1").id == "urn:job-1"
    channel.progress("urn:job-1", Progress(Phase.ACCEPTED))
    channel.conclude("urn:job-1", INSTALLED)
    channel.state(STATE)
    channel.close()
    assert north.states.get_nowait() == STATE
    assert [offer for offer, _ in north.heard] == ["urn:job-1"] * 2
    assert north.closed.is_set()


def test_an_update_that_leaves_one_of_two_clouds_is_reported(north):
    """It was begun as one of two clouds' offers; what it installed has a configuration with one."""
    channel = SoleChannel("north", north, ("north", "south"))

    assert channel.renew("north:job-1").id == "north:job-1"
    channel.conclude("north:job-1", INSTALLED)
    assert north.heard == [("job-1", INSTALLED)]
    with pytest.raises(OfferWithdrawn, match="came from south, which the configuration does not name any more"):
        channel.conclude("south:job-2", INSTALLED)


@pytest.mark.parametrize("first", ["north", "south"])
def test_one_cloud_that_answers_is_enough(channels, north, south, first):
    """Whichever it is, and though the other said no before."""
    answering, failing = (north, south) if first == "north" else (south, north)
    failing.answers.put(ChannelError("no route to the broker"))
    answering.answers.put("yes")

    channels.reach(DEADLINE)


def test_a_cloud_that_hangs_is_not_waited_for_when_another_answers(channels, south):
    """One is enough."""
    south.answers.put("yes")

    channels.reach(DEADLINE)


def test_no_cloud_answers(channels, north, south):
    """Each is named with its reason."""
    north.answers.put(ChannelError("no route to the broker"))
    south.answers.put(ChannelError("the hub refuses this device"))

    with pytest.raises(ChannelError) as refusal:
        channels.reach(DEADLINE)
    assert str(refusal.value) == ("no cloud answers: north: no route to the broker; south: the hub refuses this device")


def test_every_cloud_has_to_answer_where_that_is_wanted(channels, north, south):
    """The one that does not is named."""
    north.answers.put("yes")
    south.answers.put(ChannelError("the hub refuses this device"))
    with pytest.raises(ChannelError, match="not every cloud answers: south: the hub refuses this device"):
        channels.reach(DEADLINE, every=True)

    north.answers.put("yes")
    south.answers.put("yes")
    channels.reach(DEADLINE, every=True)


def test_a_cloud_that_does_not_come_back_has_not_answered(north, south):
    """A channel that takes longer than asked is waited for a little, and then named."""
    channels = Channels({"north": north, "south": south}, waits=replace(SOON, overrun=0.0))
    north.answers.put("yes")
    with pytest.raises(ChannelError, match="not every cloud answers: south: it has not answered in time"):
        channels.reach(0.2, every=True)
    south.answers.put(None)
    channels.close()


def test_the_only_cloud_is_asked(north):
    """With one cloud, "any" and "all" mean the same."""
    channel = SoleChannel("aws", north, ("aws", "azure"))
    north.answers.put("yes")
    channel.reach(DEADLINE, every=True)
    north.answers.put(ChannelError("no route to the broker"))

    with pytest.raises(ChannelError, match="no route to the broker"):
        channel.reach(DEADLINE)
