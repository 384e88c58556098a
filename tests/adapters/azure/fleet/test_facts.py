"""What a fleet in Azure says it gives."""

from __future__ import annotations

from adapters.azure.cloud import open_fleet
from bridge.planning.planned import FEATURES, How

SETTINGS = {
    "hub": "plant.azure-devices.net",
    "endpoint": "plant.api.adu.microsoft.com",
    "instance": "plant",
    "storage_url": "https://plant.blob.core.windows.net",
    "container": "otabridge",
    "provider": "contoso",
    "manufacturer": "Contoso Ltd.",
}


def facts_of(**changes):
    """Without a call: nobody listens there."""
    return open_fleet("eu", {**SETTINGS, **changes}).facts()


def test_a_fleet_lists_unless_it_was_told_that_devices_report_buckets():
    """Only a listing costs more with more devices."""
    assert (facts_of().by_bucket, facts_of().calls.per_device > 0) == (False, True)
    assert (facts_of(by_bucket=True).by_bucket, facts_of(by_bucket=True).calls.per_device) == (True, 0.0)


def test_costs_are_told_where_the_settings_tell_them():
    """In their currency."""
    assert facts_of().cost_a_gigabyte is None
    priced = facts_of(cost_a_gigabyte=0.07, currency="EUR")
    assert (priced.cost_a_gigabyte, priced.currency) == (0.07, "EUR")


def test_azure_has_no_pace_and_few_deployments_a_minute():
    """otabridge admits devices a few at a time instead."""
    facts = facts_of()

    assert (facts.cloud, facts.paces, facts.orders_a_minute) == ("azure", 0, 7.0)
    assert {feature.name: feature.how for feature in facts.features}["pace"] is How.EMULATED


def test_every_feature_is_told_once_with_its_means():
    """A person reads them in a table, in the order of all clouds."""
    features = facts_of().features

    assert tuple(feature.name for feature in features) == FEATURES
    assert all(feature.note and len(feature.note) <= 100 for feature in features)
