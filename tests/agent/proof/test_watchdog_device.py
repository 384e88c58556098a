"""The kernel's watchdog device: the numbers of its requests, how it is opened, fed and handed back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.proof.watchdog_device import (
    MAGIC_CLOSE,
    SETTABLE,
    SystemCalls,
    WatchdogDevice,
    WatchdogError,
    entry,
    examined,
    require_stoppable,
)
from tests.agent.dog import NUMBERS, PATH, SimulatedWatchdog

HEADER = Path("/usr/include/linux/watchdog.h")
DEFINED = re.compile(r"#define\s+(WDIO\w+)\s+_(IOR|IOWR)\(WATCHDOG_IOCTL_BASE, (\d+), (int|struct watchdog_info)\)")
FLAG = re.compile(r"#define\s+(WDIOF_\w+)\s+(0x[0-9a-f]+)")
DIRECTION = {"IOR": 2, "IOWR": 3}
SIZE = {"int": 4, "struct watchdog_info": 40}


@pytest.fixture
def dog() -> SimulatedWatchdog:
    """A watchdog that nobody has open."""
    return SimulatedWatchdog()


@pytest.mark.skipif(not HEADER.exists(), reason="no /usr/include/linux/watchdog.h (linux-libc-dev)")
def test_the_numbers_are_those_of_the_kernels_header():
    """Each request is put together from its macro as asm-generic/ioctl.h does it."""
    text = HEADER.read_text()
    assert "WATCHDOG_IOCTL_BASE\t'W'" in text
    real = {
        name: DIRECTION[way] << 30 | SIZE[kind] << 16 | ord("W") << 8 | int(number)
        for name, way, number, kind in DEFINED.findall(text)
    }
    flags = {name: int(value, 16) for name, value in FLAG.findall(text)}

    assert {name: real[name] for name in NUMBERS} == NUMBERS
    assert (flags["WDIOF_MAGICCLOSE"], flags["WDIOF_SETTIMEOUT"]) == (MAGIC_CLOSE, SETTABLE)


def test_it_is_given_its_time_fed_and_handed_back(dog):
    """The driver's word counts for the time; after the letter V it stops when it is closed."""
    device = WatchdogDevice(PATH, dog)
    device.set_seconds(60)
    dog.now += 50
    device.feed()

    assert (device.identity, device.seconds, dog.bites_at) == ("dog of the test", 60, dog.now + 60)
    device.hand_back()
    assert (dog.bites_at, dog.taken) == (None, False)


def test_a_process_that_dies_leaves_it_running(dog):
    """Nobody wrote the letter: the machine is restarted when the time is over."""
    WatchdogDevice(PATH, dog)
    dog.die()
    dog.now += 30

    assert dog.bitten


def test_a_driver_whose_time_is_fixed_keeps_it(dog):
    """It is not asked for another, and what it has is what counts."""
    dog.options = MAGIC_CLOSE
    device = WatchdogDevice(PATH, dog)
    device.set_seconds(60)

    assert (device.seconds, dog.armed_for) == (30, [])


def test_one_that_is_in_use_is_told_to_be_systemds(dog):
    """The most likely owner, and what to write then."""
    dog.taken = True

    with pytest.raises(WatchdogError) as refusal:
        WatchdogDevice(PATH, dog)
    assert str(refusal.value) == (
        "watchdog.device /dev/watchdog0 is in use: is it systemd's (RuntimeWatchdogSec in /etc/systemd/system.conf)? "
        'then write watchdog.owner = "systemd" in place of the device; or it is another daemon\'s'
    )


def test_one_that_is_not_there():
    """The message says what to look at."""
    with pytest.raises(WatchdogError, match=r"/nowhere/watchdog cannot be opened: No such file .*; is its driver"):
        WatchdogDevice(Path("/nowhere/watchdog"))


def test_a_time_that_the_driver_does_not_take(dog):
    """The message says where its bounds are."""
    device = WatchdogDevice(PATH, dog)

    with pytest.raises(WatchdogError) as refusal:
        device.set_seconds(1200)
    assert str(refusal.value) == (
        "the driver of /dev/watchdog0 (dog of the test) takes no timeout of 1200 s: Invalid argument; its bounds are "
        "in /sys/class/watchdog/watchdog0, min_timeout and max_timeout"
    )


def test_a_file_that_is_no_watchdog_is_closed_again(tmp_path):
    """The real system calls: the kernel knows no such request of a file."""
    path = tmp_path / "watchdog0"
    path.touch()

    with pytest.raises(WatchdogError, match="does not answer as a watchdog: Inappropriate ioctl for device"):
        WatchdogDevice(path, SystemCalls())
    assert path.read_bytes() == b"V"


def test_what_is_closed_without_the_letter_is_told(dog, caplog):
    """A driver without magic close stops with the agent, however that ends."""
    dog.options = SETTABLE
    WatchdogDevice(PATH, dog)

    assert "stops it when the agent ends, however that is" in caplog.text


def told(folder: Path, **lines: str) -> Path:
    """A folder as /sys/class/watchdog is, with one watchdog."""
    (folder / "watchdog0").mkdir()
    for name, line in lines.items():
        (folder / "watchdog0" / name).write_text(f"{line}\n")
    return folder


def test_one_that_cannot_be_stopped_guards_no_single_trial(tmp_path):
    """It would restart a machine that is well, a minute after the commit."""
    require_stoppable(PATH, tmp_path)
    require_stoppable(PATH, told(tmp_path, nowayout="0"))
    (tmp_path / "watchdog0" / "nowayout").write_text("1\n")

    with pytest.raises(WatchdogError, match=r"cannot be stopped once it runs \(nowayout\): load its driver without"):
        require_stoppable(PATH, tmp_path)


def test_the_first_has_two_names():
    """/dev/watchdog is the older one."""
    assert entry(Path("/dev/watchdog")) == entry(PATH) == Path("/sys/class/watchdog/watchdog0")


def test_it_is_looked_at_without_being_started(tmp_path):
    """What `otabridge-agent check` says: a device that is none, else what the kernel tells of it."""
    with pytest.raises(WatchdogError, match="is no device: is its driver loaded"):
        examined(tmp_path, "trial")
    folder = told(tmp_path, identity="Software Watchdog", state="inactive", max_timeout="65535")
    (folder / "null").symlink_to(folder / "watchdog0")

    assert examined(Path("/dev/null"), "trial", folder) == (
        "/dev/null, identity Software Watchdog, state inactive, max_timeout 65535"
    )
