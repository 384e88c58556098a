"""An SDK that is not installed: the sentence says which extra brings it, and the translations need none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDKS = {"aws": ("boto3", "botocore", "awscrt", "awsiot"), "azure": ("azure",)}
PROGRAM = """
import json, sys

sys.modules.update(dict.fromkeys({absent!r}))
from adapters.clouds import TRANSLATIONS, open_fleet
from adapters.devices import open_channel


def refusal(act):
    try:
        act()
    except Exception as error:
        return [type(error).__name__, str(error), getattr(error, "retryable", None)]


fleet = refusal(lambda: open_fleet({cloud!r}, "east", {{}}))
channel = refusal(lambda: open_channel({cloud!r}, {{}}))
options = TRANSLATIONS[{cloud!r}]().Options.__struct_fields__
print(json.dumps({{"fleet": fleet, "channel": channel, "options": options}}))
"""


@pytest.fixture(scope="module", params=sorted(SDKS))
def bare(request) -> tuple[str, dict[str, list[object]]]:
    """A cloud, and what is said of it in a process without any SDK of its."""
    program = PROGRAM.format(absent=SDKS[request.param], cloud=request.param)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return request.param, json.loads(done.stdout)


def test_a_fleet_names_the_extra(bare):
    """That of the control plane."""
    cloud, said = bare
    kind, message, _ = said["fleet"]

    assert kind == "UsageError"
    assert message.startswith(f"fleet east: the SDK of {cloud} is not installed (")
    assert message.endswith(f": pip install 'otabridge[{cloud}]'")


def test_a_channel_names_the_extra(bare):
    """That of the device; waiting does not help."""
    cloud, said = bare
    kind, message, retryable = said["channel"]

    assert (kind, retryable) == ("ChannelError", False)
    assert message.startswith(f"channel: the SDK of {cloud} is not installed (")
    assert message.endswith(f": pip install 'otabridge[device-{cloud}]'")


def test_a_translation_needs_none(bare):
    """It is pure: a machine without any SDK prints and checks."""
    assert {"handler", "file"} <= set(bare[1]["options"])
