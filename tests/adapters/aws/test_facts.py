"""What a plan shows of AWS: who does what, and at which price."""

from __future__ import annotations

import pytest

from adapters.aws.cloud import open_fleet
from adapters.aws.facts import facts_of
from adapters.aws.settings import AwsFleetSettings
from bridge.errors import UsageError
from bridge.planning.planned import FEATURES, How

GOOD = {"region": "eu-central-1", "bucket": "releases", "role_arn": "arn:aws:iam::123456789012:role/downloads"}


def features(**settings):
    """Features by name."""
    return {each.name: each for each in facts_of(AwsFleetSettings(**GOOD, **settings)).features}


def test_every_wish_of_a_rollout_has_an_answer():
    """Native, emulated or absent, each with what does it, in a sentence."""
    found = features()

    assert tuple(found) == FEATURES
    assert all(each.note.endswith(".") for each in found.values())
    assert (found["pace"].how, found["pause"].how) == (How.NATIVE, How.EMULATED)


def test_settings_show_in_the_facts():
    """Stages by query, the fleet's own pace, price and safety net."""
    facts = facts_of(AwsFleetSettings(**GOOD, by_bucket=True, per_minute=50, cost_a_gigabyte=0.09, currency="EUR"))

    assert (facts.cloud, facts.by_bucket, facts.paces) == ("aws", True, 50)
    assert (facts.cost_a_gigabyte, facts.currency, facts.calls.per_device) == (0.09, "EUR", 0)
    assert "dynamic thing group" in features(by_bucket=True)["percentage stages"].note
    assert "static thing group" in features()["percentage stages"].note
    assert "once 12.5 per cent" in features(abort_percent=12.5)["abort criteria"].note


def test_a_fleet_by_name_asks_nobody():
    """Its facts are settings alone; nobody listens where it would call."""
    fleet = open_fleet("factory", {**GOOD, "endpoint_url": "http://127.0.0.1:1"})

    assert fleet.facts().paces == 1000
    assert fleet.facts().cost_a_gigabyte is None


def test_a_wrong_currency_is_named():
    """With what would be right."""
    with pytest.raises(UsageError, match="fleet depot: currency is 'euro': must be three capital letters, such as EUR"):
        open_fleet("depot", GOOD | {"currency": "euro"})
