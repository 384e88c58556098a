"""The configuration file: what it may say, and how it is refused."""

from __future__ import annotations

import pytest

from bridge.config import FleetConfig, read_config
from bridge.errors import UsageError

GOOD = """\
[store]
path = "state/rollouts.db"

[fleets.factory]
cloud = "aws"
region = "eu-central-1"
limits = { devices = 5 }
"""


def test_paths_count_from_the_file_and_settings_pass_untouched(tmp_path):
    """The cloud's adapter gets exactly what the file says."""
    file = tmp_path / "otabridge.toml"
    file.write_text(GOOD)

    config = read_config(file)

    assert config.store == tmp_path / "state/rollouts.db"
    assert config.trust == tmp_path / "trust"
    assert config.fleet("factory") == FleetConfig(
        "factory", "aws", {"region": "eu-central-1", "limits": {"devices": 5}}
    )


WRONG = {
    "not TOML": ("[store", "otabridge.toml: not valid TOML: "),
    "nested without end": ("a = " + "[" * 20_000, "otabridge.toml: not valid TOML: "),
    "not UTF-8": ("a = '\udcff'", "otabridge.toml: not valid TOML: 'utf-8' codec"),
    "a key twice": (GOOD + "region = 'x'\nregion = 'y'\n", "not valid TOML: Cannot overwrite a value"),
    "an unknown table": ("[stores]\n", "otabridge.toml: top level: object contains unknown field `stores`"),
    "an unknown field": ("[store]\nfile = 'x'\n", "otabridge.toml: store: object contains unknown field `file`"),
    "a wrong type": ("[store]\npath = 3\n", "otabridge.toml: store.path: expected `str`, got `int` (it is 3)"),
    "an empty path": ("[trust]\nfolder = ''\n", "trust.folder: expected `str` of length >= 1 (it is '')"),
    "a fleet's name": (
        "[fleets.'Fab 1']\ncloud = 'aws'\n",
        "a fleet's name must be lower-case letters, digits and dashes",
    ),
    "a fleet that is no table": (
        "[fleets]\nfactory = 'aws'\n",
        "fleets.factory is 'aws'; it must be a table, [fleets.factory]",
    ),
    "no cloud": (
        "[fleets.factory]\nregion = 'x'\n",
        'fleets.factory.cloud is missing; say which cloud it is, such as cloud = "aws"',
    ),
    "a cloud that is no word": ("[fleets.factory]\ncloud = 7\n", "fleets.factory.cloud is 7; say which cloud it is"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_by_field_and_value(tmp_path, case):
    """One sentence with the file's name in it; exit code 2."""
    text, message = WRONG[case]
    file = tmp_path / "otabridge.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(UsageError) as refusal:
        read_config(file)

    assert str(file) in str(refusal.value)
    assert message in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_missing_file_tells_how_to_name_one(tmp_path):
    """The usual mistake: another folder."""
    with pytest.raises(UsageError, match="there is no configuration; name it with --config or OTABRIDGE_CONFIG"):
        read_config(tmp_path / "otabridge.toml")


def test_an_unknown_fleet_is_refused_with_those_there_are(tmp_path):
    """A typing error is seen at once."""
    file = tmp_path / "otabridge.toml"
    file.write_text(GOOD)

    with pytest.raises(UsageError, match=r"fleets\.factroy is missing; configured fleets: factory"):
        read_config(file).fleet("factroy")
