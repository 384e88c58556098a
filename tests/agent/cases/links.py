"""A link that drops, a cloud that cannot be asked or told, a store that lost or spoiled the artifact."""

from __future__ import annotations

from agent.download.answer import LinkRefused
from agent.slots import Slot
from agent.update.machine import State
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from tests.agent.cases.case import Group, failed, installed
from tests.agent.cases.faults import by_hand, cloud_refuses, killed, link, power_cut, store_spoiled, urls_expire
from tests.agent.cases.paths import BEGUN, GAVE_UP, GOOD, PUT_OFF, TOLD, up_to
from tests.agent.cases.rows import TWO_JOBS, on_new
from tests.agent.cases.stage import Killed, PowerCutOnLink
from tests.agent.device import package
from tests.agent.power import Loss

RULE = (
    "A drop is gone on from where bytes are durable. A link that gives up ends the update as failed, and the next "
    "attempt goes on there; a cloud that cannot be asked suspends it, and the same offer goes on later. A report that "
    "the cloud does not take is kept, also over restarts, and told until it is taken."
)
INSTALLED = installed("b", "2.0.0")
OUTAGE, OFFLINE = ChannelError("the broker is gone"), ChannelError("offline")
STOPPED = link("the server stops answering", DownloadError("the server stopped answering"))
NO_LINK = failed(FailureCode.DOWNLOAD, "a", "1.0.0", words="the server stopped answering")
ONCE = link("the cloud cannot be asked for fresh URLs", OUTAGE)
AWAY = cloud_refuses("the cloud cannot be told, twice", OFFLINE, OFFLINE)
REFUSED = cloud_refuses("the cloud refuses, and offers the job again", ChannelError("no", retryable=False))
LOCAL = by_hand(
    "a person installs 3.0.0 from a folder meanwhile",
    lambda device: device.engine.install(device.cloud, device.local_offer(package(3))),
    "wait",
)
DROPS = (
    on_new("the download gives up", GAVE_UP, NO_LINK, faults=(STOPPED,)),
    on_new(
        "the download gives up, and a new attempt goes on where it ended",
        f"{GAVE_UP}, {GOOD}",
        NO_LINK,
        installed("b", "2.0.0", offer="job-2"),
        faults=(STOPPED,),
        offers=TWO_JOBS,
    ),
    on_new(
        "the store lost the artifact",
        GAVE_UP,
        failed(FailureCode.LINK_REFUSED, "a", "1.0.0", words="404 Not Found"),
        faults=(link("404 Not Found", LinkRefused("404 Not Found")),),
    ),
    on_new(
        "the store holds other bytes than were signed",
        GAVE_UP,
        failed(FailureCode.ALTERED, "a", "1.0.0"),
        faults=(store_spoiled(),),
    ),
    on_new("fresh URLs in the middle", GOOD, INSTALLED, faults=(urls_expire(),)),
    on_new("an outage of the cloud in the middle", f"{PUT_OFF}, {GOOD}", INSTALLED, faults=(ONCE,)),
    on_new(
        "outages of the cloud, one after the other",
        f"{PUT_OFF}, {PUT_OFF}, {PUT_OFF}, {GOOD}",
        INSTALLED,
        faults=(link("the cloud cannot be asked, three times", OUTAGE, OUTAGE, OUTAGE, after=10_000),),
    ),
    on_new(
        "the cloud does not know the job any more",
        GAVE_UP,
        failed(FailureCode.DOWNLOAD, "a", "1.0.0", words="unknown job"),
        faults=(link("no fresh URLs: unknown job", ChannelError("unknown job", retryable=False)),),
    ),
    on_new(
        "an outage of the cloud, and the power is cut",
        f"{PUT_OFF} / {GOOD}",
        INSTALLED,
        faults=(ONCE, power_cut("wait", Loss.LOST)),
    ),
    on_new(
        "agent killed in the middle of the download",
        f"{BEGUN} + resume idle, {GOOD}",
        INSTALLED,
        faults=(link("killed when two thirds have come", Killed()),),
    ),
    on_new(
        "power cut in the middle of the download",
        f"{BEGUN} / resume idle, {GOOD}",
        INSTALLED,
        faults=(link("power cut when two thirds have come", PowerCutOnLink()),),
    ),
)
REPORTS = (
    on_new("the cloud cannot be told the end", GOOD, INSTALLED, faults=(AWAY,)),
    on_new(
        "the cloud cannot be told the end, and the power is cut",
        f"{up_to(GOOD, State.REPORTING)} / {TOLD}",
        INSTALLED,
        faults=(AWAY, power_cut("wait", Loss.LOST)),
    ),
    on_new(
        "the cloud cannot be told the end, and the agent is killed",
        f"{up_to(GOOD, State.REPORTING)} + {TOLD}",
        INSTALLED,
        faults=(AWAY, killed("wait")),
    ),
    on_new("the cloud refuses the report for good", GOOD, INSTALLED, faults=(REFUSED,)),
    on_new(
        "the cloud cannot be told the end, and a person installs from a folder",
        f"{up_to(GOOD, State.REPORTING)}, deferred idle, {GOOD}",
        installed("a", "3.0.0", offer="folder:0123456789abcdef"),
        INSTALLED,
        faults=(AWAY, LOCAL),
        slot=Slot.A,
    ),
)
GROUPS = (Group("Links that fail", RULE, DROPS), Group("Reports that are not taken", RULE, REPORTS))
