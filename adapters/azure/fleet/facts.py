"""What Device Update and IoT Hub give to a rollout, and what otabridge does where they give nothing. Pure.

Sources: the quota pages of Device Update and IoT Hub, and the query language's own warning that answers may be thirty
minutes old, though most are some seconds. The calls are those that `benchmarks/azure_calls.py` counts.
"""

from __future__ import annotations

from adapters.azure.fleet.settings import AzureFleetSettings
from bridge.planning.planned import Calls, Facts, Feature, How

CLOUD = "azure"
FEEDBACK_MINUTES = 30.0
"""How old the answer to a twin query may be at worst (IoT Hub developer guide, query language, limitations)."""
BY_NAME = Calls(start=26, stop=27, tally=5, per_device=0.02)
BY_BUCKET = Calls(start=25, stop=27, tally=5)
FEATURES = (
    Feature("percentage stages", How.EMULATED, "a tag of the stage's own in each twin, set by IoT Hub jobs"),
    Feature("device query", How.NATIVE, "IoT Hub's query language over twins, at most 400 characters"),
    Feature("pause", How.EMULATED, "the deployment is cancelled, and made anew on resuming"),
    Feature("pace", How.EMULATED, "devices join the stage's group a few at a time"),
    Feature("maintenance windows", How.EMULATED, "otabridge pauses outside them; Device Update knows a start only"),
    Feature("freeze calendar", How.EMULATED, "otabridge pauses during the calendar's events"),
    Feature("timeouts", How.EMULATED, "counted from the hub's note of when a device began"),
    Feature("retries", How.EMULATED, "a new deployment for those that failed, while the others keep their stage"),
    Feature("silence", How.EMULATED, "devices that began and are past their timeout, by the hub's clock"),
    Feature("roll back", How.EMULATED, "a deployment of the earlier release"),
    Feature("late joiners", How.EMULATED, "otabridge tags them; a deployment goes to whoever joins its group"),
    Feature("failure budget", How.EMULATED, "counted by otabridge from IoT Hub queries; one for all stages and clouds"),
    Feature("abort criteria", How.ABSENT, "Device Update has none of its own; otabridge's gates and budget judge"),
    Feature("health metrics", How.NATIVE, "IoT Hub queries over what devices report"),
    Feature("watchdog resets", How.NATIVE, "IoT Hub queries over what devices report"),
    Feature("adoption", How.NATIVE, "Device Update's counts, by GROUP/DEPLOYMENT; stopping cancels for all devices"),
)
"""For each thing a rollout may ask for: who does it here."""


def facts(settings: AzureFleetSettings) -> Facts:
    """The facts of a fleet with these settings."""
    return Facts(
        cloud=CLOUD,
        by_bucket=settings.by_bucket,
        paces=0,
        orders_a_minute=float(settings.creates_per_minute),
        feedback_minutes=FEEDBACK_MINUTES,
        cost_a_gigabyte=settings.cost_a_gigabyte,
        currency=settings.currency,
        calls=BY_BUCKET if settings.by_bucket else BY_NAME,
        features=FEATURES,
    )
