"""How a loop that looks after rollouts is asked to end."""

from __future__ import annotations

import os
import signal

import pytest

from bridge.cli.interruption import SIGNALS, Ending


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_wakes(number):
    """A rest of an hour is over at once; the signals are then the process's own again."""
    before, ending = signal.getsignal(number), Ending()

    with ending.listening():
        assert not ending.is_asked()
        os.kill(os.getpid(), number)
        ending.sleep(3600)

    assert ending.is_asked()
    assert signal.getsignal(number) == before


def test_the_second_signal_interrupts():
    """Whoever presses Ctrl-C twice does not want to wait for a slow cloud."""
    ending = Ending()

    with ending.listening():
        signal.raise_signal(signal.SIGINT)
        ending.sleep(3600)

        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_rest_is_over_in_time_without_a_signal():
    """Then the next round begins."""
    ending = Ending()

    ending.sleep(0.01)

    assert not ending.is_asked()
