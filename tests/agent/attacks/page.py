"""`docs/reference/attacks.md`: every attack is played, and what the device really said is written down."""

from __future__ import annotations

import logging
import re

from bridge.release.report import MAX_DETAIL
from tests.agent.attacks.attack import Attack, Door
from tests.agent.attacks.scene import Ending, play
from tests.agent.attacks.table import ATTACKS

HEAD = """\
# Attacks

What whoever holds the cloud account, the store, the line or the clock can do to a device, and what the device says.
Each row is played against a whole device: the real engine, trust, download, journal and boot environment; the channels
of AWS and Azure are the real ones over lines that say whatever the attacker likes. The messages are what the device
reported when this page was made. After each attack the device runs an image that its owner signed, and installs the
owner's next release; unless something is said to be written, not one byte of the other slot was changed. No step of a
release is in effect that does not run, and none of its files is left.

Beside the table, generated attacks change good offers, jobs and twins at random
(`tests/agent/attacks/test_generated.py`); guards are taken out of the code one by one, to see that an attack then gets
further (`tests/agent/attacks/test_mutants.py`); and `tests/conformance/test_compromised_cloud.py` plays some of these
with the clouds' own SDKs. [Security](../security.md) says what is promised and what is not.
"""
TITLES = {
    Door.RELEASE: "By `release.json`",
    Door.ROOTS: "By the roots of an offer",
    Door.CLOCK: "By the clock",
    Door.URL: "By the URL of an artifact",
    Door.CONTENT: "By the bytes behind a URL",
    Door.STEPS: "By the steps of a release",
    Door.AWS: "By a job of AWS IoT",
    Door.AZURE: "By an update of Azure Device Update",
}
DRAWN = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "…"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "…"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "…"),
    (re.compile(r"(127\.0\.0\.1):\d+"), r"\1"),
    (re.compile(r"(?<=begins with )[0-9a-f ]+(?=, not)"), "…"),
    (re.compile(r"(?<=TUF metadata: )(maximum recursion|Exceeds the limit|'utf-8' codec|Expecting) .*"), "…"),
)
"""What differs from run to run, as keys and ports do, and what Python itself says, which differs with its version."""


def attacks_page() -> str:
    """The page. What the device logs meanwhile is not its reader's business."""
    logging.disable(logging.CRITICAL)
    try:
        return _page()
    finally:
        logging.disable(logging.NOTSET)


def _page() -> str:
    parts = [HEAD]
    for door in Door:
        rows = [_row(attack, play(attack)) for attack in ATTACKS if attack.door is door]
        parts += [
            f"## {TITLES[door]}\n",
            "| attack: whoever does it | the device answers | and runs |",
            "|---|---|---|",
        ]
        parts += [*rows, ""]
    return "\n".join(parts)


def _row(attack: Attack, ending: Ending) -> str:
    if ending.report is None:
        raise RuntimeError(f"{attack.name}: the device said nothing")
    code = "" if ending.report.code is None else f" {ending.report.code:d} {ending.report.code.name}"
    said = f": {_plain(ending.report.detail)}" if attack.says else f"; {attack.so}"
    written = "" if ending.is_untouched or attack.so else "; part of the other slot was written, which is never booted"
    answer = f"**{ending.report.outcome}{code}**{said}{written}"
    return f"| **{attack.name}**: {attack.does} | {answer} | {ending.version} in slot {ending.slot} |"


def _plain(detail: str) -> str:
    text = detail[:MAX_DETAIL]
    for pattern, words in DRAWN:
        text = pattern.sub(words, text)
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text)
