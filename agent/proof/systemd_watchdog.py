"""Whether systemd feeds the hardware watchdog, where the configuration says that this is systemd's business."""

from __future__ import annotations

from collections.abc import Sequence

from agent.command import run
from agent.pace import Timing
from agent.proof.watchdog_device import WatchdogError

ASKED = ("show", "--property=RuntimeWatchdogUSec", "--value")
"""systemd-system.conf(5), RuntimeWatchdogSec; systemctl prints a span of time, and 0 where it is off."""
OFF = frozenset({"", "0", "infinity"})
ADVICE = "set RuntimeWatchdogSec in /etc/systemd/system.conf, or give the watchdog to the agent"
SECONDS = 30.0


def runtime_watchdog(timing: Timing, systemctl: Sequence[str] = ("systemctl",)) -> str:
    """How long systemd lets the watchdog wait, for people. Raises: WatchdogError when it does not feed it."""
    try:
        ended = run((*systemctl, *ASKED), SECONDS, timing)
    except OSError as error:
        raise WatchdogError(f'watchdog.owner is "systemd", and systemd cannot be asked: {error.strerror}') from error
    if ended.status != 0:
        raise WatchdogError(f'watchdog.owner is "systemd", and systemd does not say what it does: {ended.tail}')
    if ended.tail in OFF:
        raise WatchdogError(f'watchdog.owner is "systemd", and systemd does not feed one: {ADVICE}')
    return f"systemd feeds it, within {ended.tail}"
