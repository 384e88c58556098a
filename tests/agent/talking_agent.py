"""The real command in a process of its own, whose cloud is one file: argument 1 is the offer, the rest its arguments.

It says on stdout, a line each, what it tells its cloud.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from agent import cli, wiring
from agent.cloud.channel import Offer
from agent.update.context import Limits
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState


class TalkingCloud:
    """A channel with the offer in the file `path`, again and again."""

    def __init__(self, path: Path) -> None:
        self._offer = json.loads(path.read_text())

    def next_offer(self, timeout: float) -> Offer:
        assert timeout > 0
        return Offer(self._offer["id"], Path(self._offer["release"]).read_bytes(), (), self._offer["urls"])

    def reach(self, timeout: float) -> None:
        say(f"reached within {timeout}")

    def renew(self, offer_id: str) -> Offer:
        assert offer_id == self._offer["id"]
        return self.next_offer(1.0)

    def progress(self, offer_id: str, progress: Progress) -> None:
        say(f"{offer_id} {progress.phase} {progress.percent}")

    def conclude(self, offer_id: str, report: Report) -> None:
        say(f"{offer_id} ended {report.outcome} in slot {report.slot} with {report.version}")

    def state(self, state: DeviceState) -> None:
        say(f"state {state.slot} {state.release} {state.boots} {state.outcome}")

    def close(self) -> None:
        """Nothing to hang up."""


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    cloud = TalkingCloud(Path(sys.argv[1]))
    wiring.open_channel = lambda _name, _settings: cloud
    wiring.UpdateLimits = partial(Limits, checkpoint_bytes=256 * 1024)
    sys.exit(cli.main(sys.argv[2:]))
