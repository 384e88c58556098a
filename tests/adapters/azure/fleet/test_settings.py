"""What a person gets wrong in `[fleets.NAME]`, and what they read then."""

from __future__ import annotations

import pytest

from adapters.azure.cloud import open_fleet
from bridge.errors import UsageError

GOOD = {
    "hub": "plant.azure-devices.net",
    "endpoint": "plant.api.adu.microsoft.com",
    "instance": "plant",
    "storage_url": "https://plant.blob.core.windows.net",
    "container": "otabridge",
    "provider": "contoso",
    "manufacturer": "Contoso Ltd.",
}


def test_good_settings_open_a_fleet():
    """Without a call."""
    assert open_fleet("eu", GOOD).name == "eu"


WRONG = [
    ({"hub": "https://plant"}, r"fleet eu: hub is 'https://plant': must be a hub's host name, such as plant\.azure"),
    ({"endpoint": "a b"}, r"endpoint is 'a b': must be the host name of a Device Update account"),
    ({"instance": "p"}, r"instance is 'p': must be the name of a Device Update instance"),
    ({"storage_url": "http://x"}, r"storage_url is 'http://x': must be an https URL"),
    ({"container": "No"}, r"container is 'No': must be a container's name"),
    ({"provider": "con toso"}, r"provider is 'con toso': must be 1 to 64 letters"),
    ({"prefix": "a b"}, r"prefix is 'a b': must be letters"),
    ({"download_security": "ftp"}, r"download_security is 'ftp': invalid enum value"),
    ({"currency": "Euro"}, r"currency is 'Euro': must be three capital letters, such as EUR"),
    ({"cost_a_gigabyte": -1}, r"cost_a_gigabyte is -1: expected `float` >= 0"),
    ({"by_bucket": "yes"}, r"by_bucket is 'yes': expected `bool`"),
    ({"sas_hours": 0}, r"sas_hours is 0: expected `int` >= 1"),
    ({"queries_per_minute": "many"}, r"queries_per_minute is 'many': expected `int`"),
    ({"colour": "red"}, r"fleet eu: object contains unknown field `colour`"),
    ({"hub": None}, r"hub is None: expected `str`"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[next(iter(row[0])) for row in WRONG])
def test_a_wrong_setting_is_named(change, message):
    """With its value and what would be right."""
    with pytest.raises(UsageError, match=message):
        open_fleet("eu", {**GOOD, **change})


def test_a_missing_setting_is_named():
    """Before anything is called."""
    with pytest.raises(UsageError, match=r"fleet eu: object missing required field `hub`"):
        open_fleet("eu", {name: value for name, value in GOOD.items() if name != "hub"})
