"""Puts together who on the device may be in the way of an update, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.config import AgentConfig
from agent.disk import Disk
from agent.local.unix_socket import LocalSocket
from agent.local.wording import answer_line, status_line
from agent.pace import Timing
from agent.permit.answers import AnswerBook
from agent.permit.consent import BEFORE_COMMIT, ConsentGate, Spokesman
from agent.permit.hooks import Hooks
from agent.permit.permission import Moment, Permission
from agent.permit.permissions import Permissions
from agent.permit.power import PowerGate
from agent.permit.space import SpaceGate
from agent.permit.window import WindowGate, WindowState, window_at
from agent.ports import Status
from agent.update.record import Update

BY_APPLICATION = "by the application"


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """What those on the device have to do with an update. `required`: before what somebody has to say yes. Of the one
    under way: to what somebody said `yes`, whether it is `refused`, and for how many minutes more it can be put off.
    `window` is unknown where the clock was never set; `window_opens` is set while it is shut.
    """

    required: tuple[Moment, ...]
    yes: tuple[Moment, ...]
    refused: bool
    put_off_until: datetime | None
    minutes_left: int
    window: WindowState
    window_opens: datetime | None


class LocalParts:
    """The device's side of permission. Used by the agent's thread; the socket has one of its own."""

    def __init__(self, config: AgentConfig, disk: Disk, timing: Timing, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        self._timing = timing
        self._book = AnswerBook(disk, config.state.directory, clock)
        self._mark = self._book.mark()
        self.hooks = Hooks(config.hooks, timing)

    def permission(self) -> Permission:
        """Those who are asked, in turn: people first, so that they hear of an update early; hooks last, as they may
        prepare the device for what comes at once."""
        config, ticks = self._config, self._timing.clock
        parts: list[Permission] = [ConsentGate(self._book, consent_moments(config), self._clock, ticks)]
        if config.window is not None:
            parts.append(WindowGate(config.window, window_moments(config), self._clock, ticks))
        if config.power is not None:
            parts.append(PowerGate(config.power))
        if config.space is not None:
            parts.append(SpaceGate(config.space))
        return Permissions([*parts, self.hooks])

    def stirred(self) -> bool:
        """Whether anybody said anything since this was last asked."""
        known, self._mark = self._mark, self._book.mark()
        return known != self._mark

    def spokesman(self, pending: Callable[[], Update | None]) -> Spokesman:
        """Takes what people say of the update that is `pending`."""
        return Spokesman(self._book, pending, self._config.consent.most_minutes)

    def socket(self, pending: Callable[[], Update | None]) -> LocalSocket | None:
        """The socket for local programs; None where the configuration has none."""
        if self._config.socket is None:
            return None
        spokesman = self.spokesman(pending)
        return LocalSocket(self._config.socket, lambda line: answer_line(line, spokesman.say))

    def status(self, status: Status) -> LocalStatus:
        """How things stand for the update in `status`."""
        answers, now = self._book.of(status.digest), self._clock()
        state, opens = window_at(self._config.window, now)
        return LocalStatus(
            required=tuple(sorted(consent_moments(self._config))),
            yes=answers.yes,
            refused=answers.refused,
            put_off_until=answers.until,
            minutes_left=self._config.consent.most_minutes - answers.spent,
            window=state,
            window_opens=opens,
        )

    def status_line(self, status: Status) -> bytes:
        """The same for local programs, in a line."""
        return status_line(status, self.status(status))


def consent_moments(config: AgentConfig) -> frozenset[Moment]:
    """Before what somebody has to say yes."""
    required = frozenset(Moment(name) for name in config.consent.required)
    return required | {Moment.INSTALL} if config.reboot.when == BY_APPLICATION else required


def window_moments(config: AgentConfig) -> frozenset[Moment]:
    """What waits for the window, where there is one."""
    held = BEFORE_COMMIT if config.window is not None and config.window.download else frozenset({Moment.INSTALL})
    return held if config.reboot.when in (None, "in the window") else held - {Moment.INSTALL}
