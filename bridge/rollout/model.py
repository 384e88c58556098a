"""The unified model: what a release manager wishes, as `rollout.yaml` says it. Values only.

Reading the file is `bridge.rollout.file`'s work, settling it over real fleets `bridge.planning.plan`'s. Wished and seen
are different types: nothing here is changed by what happens.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from bridge.rollout.duration import Duration
from bridge.rollout.rules import (
    Approvals,
    Budget,
    Condition,
    FilePath,
    Gates,
    LateJoiners,
    MaintenanceWindow,
    OnBreach,
    Percent,
    Retries,
    RollBack,
    SignOff,
    Word,
)

Name = Word
"""It becomes part of job and group names (AWS: 64 characters)."""
DeviceId = Annotated[str, Meta(min_length=1, max_length=128)]
"""What the cloud calls the device: at most 128 characters in both clouds."""
Model = Annotated[str, Meta(min_length=1, max_length=128)]
DeviceCount = Annotated[int, Meta(ge=1, le=100_000_000)]
DeviceIds = Annotated[tuple[DeviceId, ...], Meta(min_length=1, max_length=10_000)]


class FleetPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The devices of one fleet that a rollout is for: all of them, or those that every given selector chooses."""

    name: Annotated[str, Meta(min_length=1, description="The fleet's name in otabridge.toml.", examples=["factory"])]
    group: Annotated[
        Annotated[str, Meta(min_length=1, max_length=128)] | None,
        Meta(
            description="Only devices of this group of the cloud's own. Absent: whatever their group.",
            examples=["pilot"],
        ),
    ] = None
    query: Annotated[
        Condition | None,
        Meta(
            description="Only devices that meet this condition in the cloud's own query language (AWS: fleet indexing; "
            "Azure: IoT Hub twin queries), at most 400 characters. Absent: no condition.",
            examples=["attributes.country:DE"],
        ),
    ] = None
    devices: Annotated[
        DeviceIds | None,
        Meta(
            description="Only these devices, at most 10,000, instead of `group` and `query`. "
            "Absent: every device of the fleet.",
            examples=[["device-0001", "device-0002"]],
        ),
    ] = None


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the devices, updated at once. Exactly one of `percent`, `count` and `devices` says which.

    The next stage begins when every device has ended and the gates let it pass, or sooner: once each fleet has
    installed `enough` per cent of its devices of the stage and none is in the middle. The others keep their offer, and
    what becomes of them still counts.
    """

    percent: Annotated[
        Percent | None,
        Meta(
            description="Cumulative share of each fleet: 50 after 10 updates another 40 per cent. "
            "Absent: `count` or `devices` says which.",
            examples=[10],
        ),
    ] = None
    count: Annotated[
        DeviceCount | None,
        Meta(
            description="So many more devices, over all fleets, shared out in proportion to their sizes. "
            "Absent: `percent` or `devices` says which.",
            examples=[100],
        ),
    ] = None
    devices: Annotated[
        Annotated[dict[str, DeviceIds], Meta(min_length=1)] | None,
        Meta(
            description="Test devices by name, for each fleet; at most 1000 in all. "
            "Absent: `percent` or `count` says which.",
            examples=[{"factory": ["device-0001", "device-0002"]}],
        ),
    ] = None
    models: Annotated[
        tuple[Model, ...],
        Meta(
            max_length=32,
            description="Only devices of these hardware models. Absent: of all models.",
            examples=[["gate-v2"]],
        ),
    ] = ()
    enough: Annotated[
        Percent,
        Meta(
            description="Share of each fleet's devices of the stage, in per cent, that must be installed for the stage "
            "to end before all have. Absent: 100.",
            examples=[95],
        ),
    ] = 100.0
    soak: Annotated[
        Duration,
        Meta(description="How long the stage must stay good after it ended. Absent: no time.", examples=["1h", "2d"]),
    ] = "0s"
    gates: Annotated[
        Gates | None,
        Meta(
            description="Gates of this stage, instead of all of the rollout's. Absent: the rollout's gates.",
            examples=[{"watchdog_resets": 0}],
        ),
    ] = None
    sign_off: Annotated[
        SignOff | None,
        Meta(description="How many of the approvers must sign before the next stage begins. Absent: nobody is asked."),
    ] = None


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`rollout.yaml`: one release, in stages, over fleets named in the configuration."""

    name: Annotated[
        Name, Meta(description="Unique for ever: it names groups and jobs in the clouds.", examples=["gates-2-4"])
    ]
    release: Annotated[
        FilePath,
        Meta(
            description="Path of the release's folder or `release.json`, relative to this file.",
            examples=["releases/2.4.0"],
        ),
    ]
    fleets: Annotated[
        tuple[str | FleetPart, ...],
        Meta(
            min_length=1,
            max_length=32,
            description="Which fleets: names, or parts of fleets.",
            examples=[["factory", {"name": "depot", "group": "pilot"}]],
        ),
    ]
    stages: Annotated[
        tuple[Stage, ...],
        Meta(
            min_length=1,
            max_length=20,
            description="In order; each begins when the one before is proven.",
            examples=[[{"percent": 1, "soak": "1h"}, {"percent": 10}, {"percent": 100}]],
        ),
    ]
    budget: Annotated[Budget, Meta(description="What may go wrong. Absent: nothing.")] = Budget()
    gates: Annotated[Gates, Meta(description="What every stage must show. Absent: the budget alone judges.")] = Gates()
    on_breach: Annotated[
        OnBreach,
        Meta(
            description="What to do when a gate or the budget is breached: `pause` and wait for a person, `abort` for "
            "good, or `roll-back` to the release under `roll_back`. Offers are withdrawn in every case. Absent: abort.",
            examples=["pause"],
        ),
    ] = OnBreach.ABORT
    roll_back: Annotated[
        RollBack | None,
        Meta(
            description="The previous good release, for `on_breach: roll-back` and `otabridge rollout rollback`. "
            "Absent: no way back."
        ),
    ] = None
    pace: Annotated[
        DeviceCount | None,
        Meta(
            description="Devices a minute at most, over all fleets, that are offered the release. Absent: no limit.",
            examples=[600],
        ),
    ] = None
    windows: Annotated[
        tuple[MaintenanceWindow, ...],
        Meta(
            max_length=16,
            description="Devices are offered the release only in these hours. Absent: at any time.",
            examples=[[{"cron": "0 2 * * 1-5", "duration": "3h", "zone": "Europe/Berlin"}]],
        ),
    ] = ()
    freeze: Annotated[
        tuple[FilePath, ...],
        Meta(
            max_length=8,
            description="iCalendar files (RFC 5545), relative to this file: during their events nothing is offered. "
            "Absent: no freeze.",
            examples=[["holidays.ics"]],
        ),
    ] = ()
    timeout_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=10080,
            description="Minutes that one device may take from start to report. Absent: 60.",
            examples=[60],
        ),
    ] = 60
    retries: Annotated[Retries, Meta(description="Which failures are tried again. Absent: none.")] = Retries()
    late_joiners: Annotated[
        LateJoiners,
        Meta(
            description="Devices that join after the plan was made: `ignore` them, or `include` them in the last "
            "stage. Absent: ignore.",
            examples=["include"],
        ),
    ] = LateJoiners.IGNORE
    approvals: Annotated[
        Approvals | None, Meta(description="Who must sign the plan. Absent: whoever applies it decides alone.")
    ] = None

    @property
    def parts(self) -> tuple[FleetPart, ...]:
        """The fleets, each as a part, in the order of the file."""
        return tuple(FleetPart(fleet) if isinstance(fleet, str) else fleet for fleet in self.fleets)

    def gates_of(self, stage: int) -> Gates:
        """The gates of `stage` (from 0)."""
        return self.stages[stage].gates or self.gates
