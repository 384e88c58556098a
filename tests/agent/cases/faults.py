"""The faults of the state cases, each with the words that a person reads in the table."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace

from agent.cloud.channel import OfferWithdrawn
from agent.permit.permission import Allowed, Answer, Later, Moment, Refused
from agent.slots import BootEnvironmentError, Slot
from agent.update.machine import State
from tests.agent.cases.case import EVERY, Fault
from tests.agent.cases.stage import Killed, StagedDevice
from tests.agent.device import flipped
from tests.agent.power import Loss

EXCUSED = 3
"""Planned restarts that are not held against one trial."""
JOURNAL_WRITE = "write journal"
ENVIRONMENT_WRITE = "write boot.env"
LOST = {
    Loss.LOST: "all that was not synced is lost",
    Loss.KEPT: "all that was written is kept",
    Loss.TORN: "the last write is torn",
    Loss.NAMES_ONLY: "names are kept, data is lost",
    Loss.SCRAMBLED: "any sectors are kept, others lost",
}

SAID = {
    "offer": "before the offer",
    "reboot": "as the agent asks for the restart",
    "wait": "while it waits",
    "start": "as the agent starts",
    "boot": "as the machine starts",
}
"""Moments that are no states, in words."""
VERBS = {
    "install": "as the handler begins step",
    "installed": "when the handler has ended step",
    "undo": "as the handler begins to undo step",
    "undone": "when the handler has undone step",
    "settle": "as the handler drops the way back of step",
    "settled": "when the handler has dropped the way back of step",
}


def die(_: StagedDevice) -> None:
    """The process is killed."""
    raise Killed


def said(moment: str) -> str:
    """`moment` in words."""
    word, _, state = moment.partition(" ")
    if word == "before" and state in tuple(State):
        return f"as {state} begins"
    if word in VERBS:
        return f"{VERBS[word]} {state}"
    if word == "after" and state in tuple(State):
        return f"when the work of {state} is done, before that is journalled"
    return SAID[moment]


def often(time: int) -> str:
    """Which of the times that a moment comes."""
    return (", every time", "", ", the second time", ", the third time", ", the fourth time")[time]


def killed(moment: str, time: int = 1) -> Fault:
    """The agent's process ends; the machine runs on."""
    return Fault(f"agent killed {said(moment)}{often(time)}", die, moment, time)


def power_cut(moment: str, loss: Loss = Loss.LOST, time: int = 1) -> Fault:
    """The machine starts anew, without what `loss` takes."""
    words = f"power cut {said(moment)}{often(time)}; {LOST[loss]}"
    return Fault(words, lambda device: device.cut_power(loss), moment, time)


def reset(moment: str, time: int = EVERY) -> Fault:
    """The machine restarts by itself, by its watchdog or a crash of its kernel."""

    def strike(device: StagedDevice) -> None:
        device.bitten = True
        device.cut_power(Loss.KEPT)

    return Fault(f"the machine resets by itself {said(moment)}{often(time)}", strike, moment, time)


def planned(moment: str, time: int = EVERY) -> Fault:
    """Somebody restarts the machine in the middle of a trial, and the boot loader is told not to count that boot."""

    def strike(device: StagedDevice) -> None:
        device.engine.excuse_restart(EXCUSED)
        device.cut_power(Loss.KEPT)

    return Fault(f"the machine is restarted as planned {said(moment)}{often(time)}", strike, moment, time)


def power_cut_in_journal(state: State, call: int, loss: Loss) -> Fault:
    """The power goes in the `call`-th call of the kernel (create, write, sync, rename, sync of the folder) by which the
    end of `state` is journalled."""

    def strike(device: StagedDevice) -> None:
        device.loss = loss
        device.kernel.cut_at = device.kernel.calls + call

    what = ("create", "write", "sync", "rename", "sync of the folder")[call - 1]
    words = f"power cut in the {what} by which the end of {state} is journalled; {LOST[loss]}"
    return Fault(words, strike, f"after {state}")


def fails(call: str, number: int, words: str, moment: str = "offer", time: int = 1) -> Fault:
    """From `moment` on, every kernel call that begins with `call` fails with errno `number`."""

    def strike(device: StagedDevice) -> None:
        device.kernel.faults[call] = OSError(number, os.strerror(number))

    when = "" if moment == "offer" else f", {said(moment)} and from then on"
    return Fault(f"{words} ({errno.errorcode[number]}){when}", strike, moment, time)


def mended(moment: str, time: int = 1, words: str = "") -> Fault:
    """Nothing of the kernel fails any more."""
    known = {"boot": "until the machine restarts", "error": f"until it has ended the agent {time} times"}
    return Fault(words or known[moment], lambda device: device.kernel.faults.clear(), moment, time)


def withdrawn(moment: str) -> Fault:
    """The cloud no longer wants it, and says so at the next word."""
    return Fault(f"offer withdrawn {said(moment)}", lambda device: device.cloud.gone.add("job-1"), moment)


def link(words: str, *errors: BaseException, after: int = 60_000, names: tuple[str, ...] = ()) -> Fault:
    """The next downloads end by `errors`, each after so many bytes."""

    def strike(device: StagedDevice) -> None:
        device.link.faults, device.link.fault_after, device.link.fault_names = list(errors), after, set(names)

    return Fault(words, strike)


def urls_expire() -> Fault:
    """Each stream asks once for fresh ones on its way."""
    return Fault("the URLs expire", lambda device: setattr(device.link, "urls_expire", True))


def store_spoiled() -> Fault:
    """Each artifact in the store has a bit the other way."""

    def strike(device: StagedDevice) -> None:
        device.link.files = {name: flipped(data, 40_000) for name, data in device.link.files.items()}

    return Fault("a bit of each artifact in the store is wrong", strike)


def metered(*, wait: bool = False) -> Fault:
    """The link costs money, and the device keeps full artifacts off it; with `wait` it waits for another link."""

    def strike(device: StagedDevice) -> None:
        device.metered = True
        device.limits = replace(device.limits, full_over_metered=False, wait_for_link=wait)
        device.renew_engine()

    also = ", which waits for another link" if wait else ""
    return Fault(f"the link is metered, and full artifacts are kept off it by the device{also}", strike)


def cloud_refuses(words: str, *errors: Exception) -> Fault:
    """The next reports are not taken."""
    return Fault(words, lambda device: device.cloud.refusals.extend(errors))


def verdicts(*found: str | None) -> Fault:
    """What the health checks find, the last one for ever."""
    words = ", then ".join("healthy" if each is None else f"unhealthy ({each})" for each in found)
    return Fault(f"health: {words}", lambda device: setattr(device.health, "verdicts", list(found)))


UNHEALTHY = verdicts("no route to the cloud")


def answers(moment: Moment, *given: Answer) -> Fault:
    """What is answered when permission is asked at `moment`, the last one for ever."""
    spoken = {Allowed: "yes", Refused: "no", Later: "later"}
    words = ", then ".join(spoken[type(each)] for each in given)
    asked = {Moment.DOWNLOAD: "the download", Moment.INSTALL: "the switch", Moment.COMMIT: "the commit"}
    return Fault(
        f"permission asked before {asked[moment]}: {words}",
        lambda device: device.permission.answers.update({moment: list(given)}),
    )


def dead(slot: Slot, moment: str = "offer") -> Fault:
    """What is tried in `slot` never gets as far as the agent, from `moment` on."""
    when = "" if moment == "offer" else f", {said(moment)} and from then on"
    words = f"a trial of slot {slot} hangs until the watchdog resets{when}"
    return Fault(words, lambda device: device.dead.add(slot), moment)


def revived(moment: str) -> Fault:
    """Whatever hung hangs no more."""
    return Fault(f"what hung is mended {said(moment)}", lambda device: device.dead.clear(), moment)


def restart_refused(times: int, moment: str = "offer") -> Fault:
    """The operating system does not restart when it is asked to."""
    return Fault(f"the restart is refused {times} times", lambda device: setattr(device, "refusals", times), moment)


def told_as_failed(times: int) -> Fault:
    """The boot loader commits, and says that it has not, so often after each start of the agent."""

    def strike(device: StagedDevice) -> None:
        commit, left = device.boots.commit, [BootEnvironmentError("Input/output error")] * times

        def stumble(slot: Slot) -> None:
            commit(slot)
            if left:
                raise left.pop()

        device.boots.commit = stumble

    return Fault(f"the boot loader commits and says {times} times that it failed", strike, "start", EVERY)


def started(moment: str = "offer") -> Fault:
    """A new process of the agent."""
    return Fault(f"the agent is started anew {said(moment)}", lambda device: device.start_agent(), moment)


def machine_started(moment: str, time: int = 1) -> Fault:
    """Somebody restarts the machine."""

    def strike(device: StagedDevice) -> None:
        device.kernel.settle()
        device.power_up()

    when = f"when that has ended the agent {time} times" if moment == "error" else said(moment)
    return Fault(f"the machine is restarted {when}", strike, moment, time)


def by_hand(words: str, act: Callable[[StagedDevice], object], moment: str = "offer", time: int = 1) -> Fault:
    """A person does something on the device."""

    def strike(device: StagedDevice) -> None:
        act(device)

    return Fault(words, strike, moment, time)


def replaced(moment: str, make: Callable[[StagedDevice], object], words: str) -> Fault:
    """The cloud offers something else from now on."""

    def strike(device: StagedDevice) -> None:
        make(device)

    return Fault(words, strike, moment)


GONE = OfferWithdrawn("the job was deleted")
