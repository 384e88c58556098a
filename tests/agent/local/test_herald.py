"""Hooks and local programs are told what the cloud is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.local.herald import Herald
from agent.local.unix_socket import LocalSocket, SocketSettings
from agent.pace import Timing
from agent.permit.hooks import Hooks, HookSettings
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from tests.agent.device import SimulatedCloud
from tests.agent.permit.test_hooks import hook

REPORT = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no route\nto the cloud")


class Heard(LocalSocket):
    """Keeps what local programs would hear."""

    def __init__(self) -> None:
        super().__init__(SocketSettings(), lambda _: None)
        self.lines: list[object] = []

    def _put(self, line: bytes, *, greeting: bool) -> None:
        self.lines.append((greeting, json.loads(line)))


@pytest.fixture
def cloud() -> SimulatedCloud:
    """A cloud."""
    return SimulatedCloud()


@pytest.fixture
def heard() -> Heard:
    """What local programs hear."""
    return Heard()


@pytest.fixture
def herald(tmp_path: Path, cloud: SimulatedCloud, heard: Heard) -> Herald:
    """A herald with a hook for each of some steps."""
    for step in ("downloading", "waiting", "fell-back"):
        script = f'echo "$OTABRIDGE_STEP $OTABRIDGE_OFFER $OTABRIDGE_CODE $OTABRIDGE_DETAIL" >> {tmp_path}/said'
        hook(tmp_path, "10-first", script, step)
    return Herald(cloud, Hooks(HookSettings(tmp_path), Timing()), heard)


def test_progress_is_told_to_all_three(tmp_path: Path, herald: Herald, cloud: SimulatedCloud, heard: Heard):
    """Local programs hear each sign of life, hooks each phase, the cloud what it hears anyway."""
    signs = [Progress(Phase.DOWNLOADING, 10), Progress(Phase.DOWNLOADING, 20), Progress(Phase.WAITING, 0, "window")]
    for sign in signs:
        herald.progress("job-1", sign)

    assert cloud.seen == signs
    assert heard.lines[2] == (
        False,
        {"event": "progress", "offer": "job-1", "phase": "waiting", "percent": 0, "detail": "window"},
    )
    assert len(heard.lines) == 3
    assert (tmp_path / "said").read_text().splitlines() == ["downloading job-1  ", "waiting job-1  window"]


def test_an_end_is_told_once_on_the_device(tmp_path: Path, herald: Herald, cloud: SimulatedCloud, heard: Heard):
    """However often the cloud does not take it."""
    cloud.refusals = [ChannelError("no link"), ChannelError("no link")]
    for _ in range(2):
        with pytest.raises(ChannelError):
            herald.conclude("job-1", REPORT)
    herald.conclude("job-1", REPORT)

    assert cloud.reports == [("job-1", REPORT)]
    assert len(heard.lines) == 1
    assert heard.lines[0][1]["report"]["outcome"] == "fell-back"
    assert (tmp_path / "said").read_text() == "fell-back job-1 400 no route?to the cloud\n"


def test_a_channel_without_local_programs(tmp_path: Path, cloud: SimulatedCloud):
    """The rest passes through as it is."""
    herald = Herald(cloud, Hooks(HookSettings(tmp_path), Timing()))

    herald.progress("job-1", Progress(Phase.ACCEPTED))
    herald.status(b"{}")
    with herald.listening():
        assert herald.next_offer(0.0) is None
    assert cloud.seen == [Progress(Phase.ACCEPTED)]
