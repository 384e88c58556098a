"""What no state case reaches, and why: everything else that the machine can do has to be in the table."""

from __future__ import annotations

from types import MappingProxyType

from agent.update.machine import Event, State
from bridge.release.errors import FailureCode

UNREACHED = MappingProxyType(
    {
        (State.PROVING, Event.FAILED): "a defence: nothing that is asked in a trial boot may raise an error of its own",
    }
)
"""Transitions without a case."""
UNTOLD = MappingProxyType(
    {
        FailureCode.FOREIGN: "what is no offer never reaches the engine: the channel of its cloud rejects it",
        FailureCode.WITHDRAWN: "it is the cloud's word to the device; nobody waits for a report any more",
    }
)
"""Codes that no report of the engine has."""
