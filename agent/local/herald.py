"""Tells those on the device what the cloud is told: hooks and local programs. A Channel over another."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from agent.cloud.channel import Channel, Offer
from agent.local.unix_socket import LocalSocket
from agent.local.wording import ended_line, progress_line
from agent.permit.hooks import Hooks, printable
from bridge.release.report import Phase, Progress, Report
from bridge.release.state import DeviceState


class Herald:
    """A Channel whose progress and reports are also told on the device, before the cloud hears of them. One thread."""

    def __init__(self, channel: Channel, hooks: Hooks, local: LocalSocket | None = None) -> None:
        self._channel = channel
        self._hooks = hooks
        self._local = local
        self._phase: tuple[str, Phase] | None = None
        self._ended: tuple[str, Report] | None = None

    def next_offer(self, timeout: float) -> Offer | None:
        """See Channel."""
        return self._channel.next_offer(timeout)

    def reach(self, timeout: float) -> None:
        """See Channel."""
        self._channel.reach(timeout)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        return self._channel.renew(offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel. Hooks are told of each phase once."""
        self._publish(progress_line(offer_id, progress))
        if self._phase != (offer_id, progress.phase):
            self._phase, self._ended = (offer_id, progress.phase), None
            said = {"OTABRIDGE_OFFER": printable(offer_id), "OTABRIDGE_DETAIL": printable(progress.detail)}
            self._hooks.tell(progress.phase, said)
        self._channel.progress(offer_id, progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel. Told once on the device, however often the cloud has to be told."""
        if self._ended != (offer_id, report):
            self._phase, self._ended = None, (offer_id, report)
            self._publish(ended_line(offer_id, report))
            self._hooks.tell(report.outcome, _said(offer_id, report))
        self._channel.conclude(offer_id, report)

    def state(self, state: DeviceState) -> None:
        """See Channel."""
        self._channel.state(state)

    def close(self) -> None:
        """See Channel."""
        self._channel.close()

    def status(self, line: bytes) -> None:
        """Let local programs know how the device stands, those that come later as well."""
        if self._local is not None:
            self._local.greet(line)

    def listening(self) -> AbstractContextManager[None]:
        """Within it local programs may connect."""
        return nullcontext() if self._local is None else self._local.listening()

    def _publish(self, line: bytes) -> None:
        if self._local is not None:
            self._local.publish(line)


def _said(offer_id: str, report: Report) -> dict[str, str]:
    return {
        "OTABRIDGE_OFFER": printable(offer_id),
        "OTABRIDGE_SLOT": report.slot,
        "OTABRIDGE_RELEASE_VERSION": report.version,
        "OTABRIDGE_CODE": "" if report.code is None else str(int(report.code)),
        "OTABRIDGE_DETAIL": printable(report.detail, 512),
    }
