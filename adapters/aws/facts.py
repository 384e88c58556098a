"""What AWS IoT gives a rollout, and what otabridge makes of it where AWS has nothing: shown with every plan. Pure.

Sources: the developer guide and the service model of AWS IoT Jobs (rollout, abort, timeout and scheduling
configuration), the quotas of thing groups and of fleet indexing.
"""

from __future__ import annotations

from adapters.aws.settings import AwsFleetSettings
from bridge.planning.planned import Calls, Facts, Feature, How

PACES = 1000
"""The most devices a minute that a job can be told to offer (jobExecutionsRolloutConfig)."""
BUILDING_SECONDS = 60.0
"""How long a dynamic group may take to be built; AWS names no number."""
CALL_SECONDS = 5.0
"""What the calls of one start take, generously."""
FEEDBACK_MINUTES = 1.0
"""DescribeJob counts at once; an execution that timed out is closed up to a minute late."""

LISTED = Calls(start=6, stop=5, tally=1, per_device=1.0)
"""One call puts one device into a static group; every further 250 devices cost two calls to list them."""
BY_BUCKET = Calls(start=5, stop=5, tally=1)
"""`tests/adapters/aws/test_calls.py` measures both."""

STAGES_LISTED = "One static thing group for each stage, filled device by device, and a SNAPSHOT job on it."
STAGES_BY_BUCKET = (
    "One dynamic thing group for each stage, on the bucket that devices report, and a SNAPSHOT job on it; AWS has no "
    "percentages. At most 100 dynamic groups in an account, and a device that is in ten groups already is left out."
)
HEALTH = "Counts of fleet indexing (GetStatistics) over the named shadow otabridge; the index lags some seconds."

FEATURES = (
    Feature(
        "pause",
        How.EMULATED,
        "AWS can only cancel: the stage's job is cancelled without force, devices in the middle finish, and resuming "
        "makes a new job for the same devices.",
    ),
    Feature(
        "pace",
        How.NATIVE,
        f"jobExecutionsRolloutConfig.maximumPerMinute, at most {PACES}; `per_minute` of the fleet is a further bound.",
    ),
    Feature(
        "maintenance windows",
        How.EMULATED,
        "AWS has them for CONTINUOUS jobs only, which never end: the stage is withdrawn when a window closes, and "
        "offered again when the next one opens.",
    ),
    Feature("freeze calendar", How.EMULATED, "AWS knows none: the stage is withdrawn while an event lasts."),
    Feature("timeouts", How.NATIVE, "timeoutConfig.inProgressTimeoutInMinutes, 1 to 10080, from start to report."),
    Feature(
        "retries",
        How.EMULATED,
        "A new job for the devices whose failure may pass. AWS's own would count every attempt as a device, and never "
        "retries a device that rejected.",
    ),
    Feature(
        "silence",
        How.EMULATED,
        "AWS times out only devices that have begun; one that never takes its offer keeps the job open, so otabridge "
        "judges the stage without it.",
    ),
    Feature("roll back", How.EMULATED, "AWS has none: jobs that offer the release under `roll_back`."),
    Feature(
        "late joiners",
        How.EMULATED,
        "A further job in the last stage. AWS's CONTINUOUS jobs would offer to them at once, beyond any pace.",
    ),
    Feature(
        "failure budget", How.EMULATED, "Counted by otabridge over all stages and fleets; AWS counts within a job."
    ),
)


def facts_of(settings: AwsFleetSettings) -> Facts:
    """The facts of a fleet with these settings."""
    pause = BUILDING_SECONDS if settings.by_bucket else CALL_SECONDS
    return Facts(
        cloud="aws",
        by_bucket=settings.by_bucket,
        paces=min(PACES, settings.per_minute or PACES),
        orders_a_minute=round(60 / (pause + settings.settle_seconds), 2),
        feedback_minutes=FEEDBACK_MINUTES,
        cost_a_gigabyte=settings.cost_a_gigabyte,
        currency=settings.currency,
        calls=BY_BUCKET if settings.by_bucket else LISTED,
        features=(
            _stages(settings),
            _query(settings),
            *FEATURES,
            _abort(settings),
            *_measured(settings),
            Feature("adoption", How.NATIVE, "Any job of the account, by its id; stopping cancels it without force."),
        ),
    )


def _stages(settings: AwsFleetSettings) -> Feature:
    return Feature("percentage stages", How.EMULATED, STAGES_BY_BUCKET if settings.by_bucket else STAGES_LISTED)


def _abort(settings: AwsFleetSettings) -> Feature:
    if settings.abort_percent is None:
        note = "abortConfig, unused until the fleet's `abort_percent` is set; otabridge's own gates judge either way."
    else:
        note = f"abortConfig cancels a job once {settings.abort_percent:g} per cent of its ended devices ended badly."
    return Feature("abort criteria", How.NATIVE, f"{note} AWS counts within one job, otabridge over all.")


def _query(settings: AwsFleetSettings) -> Feature:
    return Feature("device query", How.NATIVE, f"SearchIndex, at most 12 terms and 1000 characters.{_needs(settings)}")


def _needs(settings: AwsFleetSettings) -> str:
    """What fleet indexing must be on for; a fleet by bucket refuses its facts without."""
    return "" if settings.by_bucket else " Refused while the shadow is not indexed."


def _measured(settings: AwsFleetSettings) -> tuple[Feature, ...]:
    needs = _needs(settings)
    return (
        Feature("health metrics", How.NATIVE, HEALTH + needs),
        Feature("watchdog resets", How.NATIVE, HEALTH + needs),
    )
