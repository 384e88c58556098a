"""The rules of a rollout: what it may break, what proves a stage, when it may act, who must agree. Values only.

Each description stands in the published JSON Schema and in docs/reference/rollout-file.md; absence is part of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from bridge.rollout.duration import Duration, PositiveDuration

Percent = Annotated[float, Meta(gt=0, le=100)]
Probability = Annotated[float, Meta(gt=0, lt=0.5)]
Tolerated = Annotated[int, Meta(ge=0, le=100_000_000)]
"""How many devices may come to harm: from none to more than any cloud holds."""
Minimum = Annotated[int, Meta(ge=1, le=100_000_000)]
Condition = Annotated[str, Meta(min_length=1, max_length=400)]
"""A condition in a cloud's query language; the clouds' own parts of a query need the rest (AWS: 1000 characters)."""
FilePath = Annotated[str, Meta(min_length=1, max_length=1024)]
Word = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z",
        extra={"words": "lower-case letters, digits and dashes, at most 40 characters, not beginning with a dash"},
    ),
]
"""Lower-case words with dashes, at most 40 characters."""


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Strict, and short when written: what is absent is not written."""


class OnBreach(StrEnum):
    """What to do once the rollout has proven bad."""

    PAUSE = "pause"
    ABORT = "abort"
    ROLL_BACK = "roll-back"


class LateJoiners(StrEnum):
    """What becomes of devices that join a fleet after the plan was made."""

    IGNORE = "ignore"
    INCLUDE = "include"


class Undecided(StrEnum):
    """What a gate does whose stage has ended without proof in either direction."""

    HOLD = "hold"
    ADVANCE = "advance"


class Budget(_Rule, frozen=True):
    """How much may go wrong over the whole rollout, all fleets together, before it is breached."""

    failures: Annotated[
        Tolerated,
        Meta(description="Devices that may fail, be rejected or fall silent. Absent: none.", examples=[2]),
    ] = 0
    percent: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="The same as a share of the devices of the stages begun; the larger of the two figures holds. "
            "Absent: `failures` alone holds.",
            examples=[1],
        ),
    ] = 0.0
    silent: Annotated[
        Tolerated | None,
        Meta(
            description="Devices that may take the offer and be silent past their deadline, in a budget of their own. "
            "Absent: they spend the budget of failures.",
            examples=[5],
        ),
    ] = None


class FailureRate(_Rule, frozen=True):
    """A sequential test of the stage's failure rate, which may be looked at at any time (docs/gates.md)."""

    limit: Annotated[
        Percent, Meta(description="The failure rate, in per cent of ended devices, that is too high.", examples=[2])
    ]
    false_stop: Annotated[
        Probability,
        Meta(
            description="Probability at most of a breach although the rate is within the limit. Absent: 0.01.",
            examples=[0.01],
        ),
    ] = 0.01
    missed_stop: Annotated[
        Probability,
        Meta(
            description="Probability at most of promoting although the rate is above the limit. Absent: 0.05.",
            examples=[0.05],
        ),
    ] = 0.05
    minimum: Annotated[
        Minimum,
        Meta(description="Ended devices before the test may say anything. Absent: 10.", examples=[10]),
    ] = 10
    undecided: Annotated[
        Undecided,
        Meta(
            description="What to do when the stage has ended and the test cannot tell: `hold` until a person promotes "
            "it, or `advance`. Absent: hold.",
            examples=["advance"],
        ),
    ] = Undecided.HOLD


class Health(_Rule, frozen=True):
    """A figure of the fleets' own: the share of updated devices that a query of the cloud calls unhealthy."""

    name: Annotated[Word, Meta(description="What people call it.", examples=["reboots"])]
    queries: Annotated[
        dict[str, Condition],
        Meta(
            min_length=1,
            description="For each fleet the condition, in its cloud's query language, that an unhealthy device meets.",
            examples=[{"factory": "shadow.name.otabridge.reported.boots > 20"}],
        ),
    ]
    limit: Annotated[
        Percent | None,
        Meta(
            description="Share of the updated devices, in per cent, that may be unhealthy. Absent: no fixed limit.",
            examples=[5],
        ),
    ] = None
    compare: Annotated[
        bool,
        Meta(
            description="Compare with the devices not yet updated, and breach when the updated ones are proven worse. "
            "Absent: false.",
            examples=[True],
        ),
    ] = False
    false_stop: Annotated[
        Probability, Meta(description="Probability at most of a breach by chance. Absent: 0.01.", examples=[0.01])
    ] = 0.01
    minimum: Annotated[
        Minimum, Meta(description="Updated devices before it may say anything. Absent: 20.", examples=[20])
    ] = 20


class Gates(_Rule, frozen=True):
    """What a stage must show beside the budget."""

    failure_rate: Annotated[
        FailureRate | None, Meta(description="Sequential test of the failure rate. Absent: the budget alone judges.")
    ] = None
    fallbacks: Annotated[
        Tolerated | None,
        Meta(description="Devices that may fall back over the whole rollout. Absent: the budget judges.", examples=[1]),
    ] = None
    watchdog_resets: Annotated[
        Tolerated | None,
        Meta(
            description="Devices of the rollout that a watchdog may reset. Absent: watchdog resets are not asked.",
            examples=[0],
        ),
    ] = None
    health: Annotated[
        tuple[Health, ...], Meta(max_length=8, description="Figures from fleet queries. Absent: none.")
    ] = ()
    unknown_limit: Annotated[
        PositiveDuration,
        Meta(description="How long fleets may be beyond reach before the rollout pauses for a person. Absent: 24h."),
    ] = "24h"


class MaintenanceWindow(_Rule, frozen=True):
    """Recurring hours in which devices may be offered the release."""

    cron: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="When a window opens: minute, hour, day of month, month, day of week, as in crontab(5).",
            examples=["0 2 * * 1-5"],
        ),
    ]
    duration: Annotated[PositiveDuration, Meta(description="How long it stays open.", examples=["3h"])]
    zone: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="IANA time zone in which `cron` counts. Absent: UTC.",
            examples=["Europe/Berlin"],
        ),
    ] = "UTC"


class Retries(_Rule, frozen=True):
    """How often a device is offered the release again, by what went wrong. What the device refused is never retried."""

    download: Annotated[
        int,
        Meta(
            ge=0,
            le=5,
            description="After a failed download or an interruption (codes 2xx, 5xx). Absent: 0.",
            examples=[2],
        ),
    ] = 0
    board: Annotated[
        int, Meta(ge=0, le=5, description="After an error of slot or boot loader (3xx). Absent: 0.", examples=[1])
    ] = 0
    trial: Annotated[int, Meta(ge=0, le=5, description="After a fallback (4xx). Absent: 0.", examples=[0])] = 0
    silent: Annotated[
        int, Meta(ge=0, le=5, description="After silence past the deadline. Absent: 0.", examples=[1])
    ] = 0
    delay: Annotated[Duration, Meta(description="Wait before each round of retries. Absent: 10m.")] = "10m"

    @property
    def is_any(self) -> bool:
        """Whether any failure is tried again."""
        return bool(self.download or self.board or self.trial or self.silent)


class Approvals(_Rule, frozen=True):
    """Who must agree to the plan before anything begins."""

    threshold: Annotated[int, Meta(ge=1, le=16, description="How many different approvers must sign.", examples=[2])]
    approvers: Annotated[
        tuple[FilePath, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Public key files of those who may, relative to this file.",
            examples=[["keys/ana.pub.json", "keys/ben.pub.json", "keys/eva.pub.json"]],
        ),
    ]
    expire: Annotated[PositiveDuration, Meta(description="How long a signature holds. Absent: 7d.")] = "7d"


class SignOff(_Rule, frozen=True):
    """Who must agree that a stage succeeded before the next one begins."""

    threshold: Annotated[
        int, Meta(ge=1, le=16, description="How many of the approvers must sign. Absent: 1.", examples=[1])
    ] = 1
    criteria: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=400)], ...],
        Meta(
            max_length=20,
            description="What each of them confirms to have seen; every line must be named in the signature. "
            "Absent: the figures suffice.",
            examples=[["The display shows the new version", "The pump ran for one hour"]],
        ),
    ] = ()


class RollBack(_Rule, frozen=True):
    """Where to go back to."""

    release: Annotated[
        FilePath,
        Meta(
            description="Folder of the previous good release, or its `release.json`, relative to this file.",
            examples=["releases/2.3.0"],
        ),
    ]
