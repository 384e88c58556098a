"""What a device says of itself over its life: slots, releases, boots, watchdogs, fallbacks."""

from __future__ import annotations

import errno

import msgspec

from agent.bootloaders.file import read_environment, write_environment
from agent.ports import Rebooting
from agent.slots import Slot
from agent.update.journal import VERSION, _digest
from agent.version import agent_version
from bridge.release.errors import ChannelError, SlotError
from bridge.release.report import Outcome
from bridge.release.state import DeviceState
from tests.agent.device import FOLDER, SimulatedDevice, package
from tests.releases import MODEL


def restarted(device: SimulatedDevice, *, bitten: bool = False) -> DeviceState:
    """What the device says after one more boot, which a watchdog may have caused."""
    device.kernel.settle()
    device.bitten = bitten
    device.power_up()
    device.work()
    return device.engine.describe()


def copy_of(document: bytes) -> bytes:
    """A sound copy of a journal that holds `document`."""
    return b"otabridge-journal %d 99 %s\n%s" % (VERSION, _digest(VERSION, 99, document), document)


def installed(sequence: int = 2, **fields) -> SimulatedDevice:
    """A device on which release `sequence` was installed."""
    device = SimulatedDevice.built(**fields)
    assert device.run(device.offer(package(sequence))).outcome is Outcome.INSTALLED
    return device


def test_a_device_from_the_factory():
    """It knows its model and what its owner says runs there."""
    device = SimulatedDevice.built()
    device.work()

    assert device.engine.describe() == DeviceState(
        model=MODEL,
        release="1.0.0",
        sequence=0,
        slot="a",
        expected_slot="a",
        boots=1,
        fallbacks=0,
        watchdog_resets=0,
        agent=agent_version(),
        outcome="",
    )


def test_before_the_agent_ever_ran():
    """Nothing was committed, nothing was counted; nobody knows what version it is."""
    state = SimulatedDevice.built(version=None).engine.describe()

    assert (state.release, state.expected_slot, state.boots) == ("", "", 0)


def test_a_device_after_an_update():
    """The release that runs is what counts from now on: its trial boot was its first."""
    state = installed().engine.describe()

    assert (state.release, state.sequence, state.slot, state.expected_slot) == ("2.0.0", 2, "b", "b")
    assert (state.boots, state.outcome) == (1, "installed")


def test_a_device_in_a_trial_boot():
    """It runs a slot that is not the one expected."""
    device = SimulatedDevice.built()
    device.offer(package(2))
    assert device.work() == Rebooting()
    device.kernel.settle()
    device.power_up()
    state = device.engine.describe()

    assert (state.release, state.sequence, state.slot, state.expected_slot) == ("2.0.0", 2, "b", "a")


def test_a_device_that_fell_back():
    """The old release runs on with its own count of boots; the fallback counts for ever."""
    device = SimulatedDevice.built(dead={Slot.B})
    device.work()
    restarted(device)
    device.run(device.offer(package(2)))
    state = device.engine.describe()

    assert (state.release, state.slot, state.fallbacks, state.outcome) == ("1.0.0", "a", 1, "fell-back")
    assert state.boots == 3


def test_a_report_that_nobody_took_is_the_last_outcome_all_the_same():
    """What the device has become does not wait for the cloud that ordered it."""
    device = SimulatedDevice.built()
    device.offer(package(2))
    device.cloud.refusals = [ChannelError("down")]
    device.work()
    device.kernel.settle()
    device.power_up()
    step = device.work()

    assert not step.delivered
    assert device.engine.describe().outcome == "installed"


def test_boots_are_counted_once_each():
    """Not each start of the agent, nor each step of its work."""
    device = installed()
    for _ in range(3):
        device.start_agent()
        device.work()
        device.work()
    assert device.engine.describe().boots == 1

    assert [restarted(device).boots for _ in range(3)] == [2, 3, 4]


def test_another_release_in_the_slot_begins_anew():
    """Its boots are its own, and so are the watchdog's bites."""
    device = installed()
    assert restarted(device, bitten=True).watchdog_resets == 1
    device.bitten = False
    device.run(device.offer(package(3), "job-2"))
    device.run(device.offer(package(4), "job-3"))
    state = device.engine.describe()

    assert (state.release, state.slot, state.boots, state.watchdog_resets) == ("4.0.0", "b", 1, 0)


def test_a_watchdogs_reset_is_counted_once_a_boot():
    """However often the agent starts in it."""
    device = installed()
    assert restarted(device, bitten=True).watchdog_resets == 1
    device.start_agent()
    device.work()
    assert device.engine.describe().watchdog_resets == 1

    assert restarted(device).watchdog_resets == 1
    assert restarted(device, bitten=True).watchdog_resets == 2


def test_a_watchdog_that_ended_a_trial_is_not_held_against_the_old_release():
    """The new one hung until the boot loader gave it up; the old one only finds the traces."""
    device = SimulatedDevice.built(dead={Slot.B}, bitten=True)
    device.work()
    before = device.engine.describe().watchdog_resets
    device.run(device.offer(package(2)))
    state = device.engine.describe()

    assert (state.slot, state.watchdog_resets) == ("a", before)


def test_a_watchdog_that_ended_a_committed_release_is_not_held_against_the_one_before():
    """Weeks later the boot loader leaves it; who runs then is not to blame."""
    device = installed()
    environment = read_environment(FOLDER, device.disk)
    write_environment(FOLDER, device.disk, environment.without(Slot.B).committed(Slot.A))
    state = restarted(device, bitten=True)

    assert (state.slot, state.fallbacks, state.watchdog_resets) == ("a", 1, 0)


def test_a_journal_of_an_older_agent_is_read():
    """It counted nothing: the counts begin with the agent that counts."""
    device = installed()
    document = msgspec.to_builtins(device.record)
    for name in ("boots_a", "boots_b", "boot_id"):
        del document[name]
    device.write_journal(copy_of(msgspec.json.encode(document)))
    device.start_agent()
    device.work()
    state = device.engine.describe()

    assert (state.release, state.boots, state.watchdog_resets) == ("2.0.0", 1, 0)


def test_a_boot_that_cannot_be_counted_is_in_nobodys_way(caplog):
    """An update goes on, and the boot is counted once the disk takes it."""
    device = installed()
    device.kernel.settle()
    device.power_up()
    device.kernel.faults["write journal"] = OSError(errno.ENOSPC, "No space left on device")
    device.work()
    assert device.engine.describe().boots == 1
    assert "this boot is not counted yet: journal" in caplog.text

    device.kernel.faults.clear()
    device.work()
    assert device.engine.describe().boots == 2


def test_a_machine_that_does_not_name_its_boots(caplog, monkeypatch):
    """Nothing is counted rather than everything twice."""
    device = SimulatedDevice.built()

    def nameless() -> str:
        raise SlotError("the kernel does not name this boot")

    monkeypatch.setattr(device, "boot_id", nameless)
    device.work()

    assert device.engine.describe().boots == 0
    assert "this boot is not counted yet: the kernel does not name this boot" in caplog.text


def test_going_back_goes_on_counting():
    """What a slot still holds keeps its count, whatever ran in between."""
    device = installed()
    restarted(device)
    device.engine.rollback()
    device.run()
    state = device.engine.describe()

    assert (state.release, state.slot, state.boots) == ("1.0.0", "a", 2)


def test_a_kernel_that_panics_on_trial_is_told_from_one_that_hangs():
    """The status says what caused the boot, and each slot what ended its own."""
    device = SimulatedDevice.built()
    device.offer(package(2))
    device.work()
    device.kernel.settle()
    device.power_up()
    device.crashes = ("panic-1",)
    device.kernel.settle()
    device.power_up()
    device.work()
    status = device.engine.status()

    assert str(status.reset) == "panic"
    assert [(each.slot, each.boots.panics) for each in status.slots] == [(Slot.A, 0), (Slot.B, 1)]
