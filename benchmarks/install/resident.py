"""The agent's process: the command `once` with a channel that waits idly for a word on stdin, then makes one offer.

    python -m benchmarks.install.resident CONFIG RELEASE URL

All but the channel is real. At the end one JSON object goes to stdout: `code`, the command's exit code, and `wall` and
`cpu`, the seconds that reading the slot back took of it. The process then stays, to be looked at, until stdin closes.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from agent import cli, wiring
from agent.cloud.channel import Offer
from bridge.release.report import Phase, Progress, Report
from bridge.release.state import DeviceState


class OneOffer:
    """A channel whose only offer is the release in the folder `release`, with the one artifact that is at `url`."""

    def __init__(self, release: Path, url: str) -> None:
        self._release = release
        self._url = url
        self._seen: dict[Phase, tuple[float, float]] = {}

    def next_offer(self, timeout: float) -> Offer:  # noqa: ARG002 - it waits for a word instead
        """See Channel."""
        tell("idle")
        sys.stdin.readline()
        urls = {self._url.rpartition("/")[2]: self._url}
        return Offer("bench", (self._release / "release.json").read_bytes(), (), urls)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        raise RuntimeError(f"the URLs of {offer_id} do not expire")

    def progress(self, offer_id: str, progress: Progress) -> None:  # noqa: ARG002 - there is one offer
        """Remember when each phase began."""
        self._seen.setdefault(progress.phase, (time.monotonic(), time.process_time()))

    def conclude(self, offer_id: str, report: Report) -> None:
        """Say why there was no restart."""
        print(f"{offer_id}: {report}", file=sys.stderr, flush=True)

    def state(self, state: DeviceState) -> None:
        """Nobody asks."""

    def close(self) -> None:
        """Nothing to hang up."""

    def read_back(self) -> tuple[float, float]:
        """Seconds by the clock and of processors between the phases CHECKING and SWITCHING; none if it did not come
        that far."""
        begin, end = self._seen.get(Phase.CHECKING), self._seen.get(Phase.SWITCHING)
        if begin is None or end is None:
            return 0.0, 0.0
        return end[0] - begin[0], end[1] - begin[1]


def main(config: str, release: str, url: str) -> None:
    """See the module."""
    channel = OneOffer(Path(release), url)
    setattr(wiring, "open_channel", lambda _cloud, _settings: channel)  # noqa: B010 - in place of a cloud's
    with redirect_stdout(sys.stderr):
        code = cli.main(["--config", config, "once"])
    wall, cpu = channel.read_back()
    tell(json.dumps({"code": code, "wall": wall, "cpu": cpu}))
    sys.stdin.readline()


def tell(line: str) -> None:
    """Say it to the measuring process; what the command prints does not go there."""
    print(line, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
