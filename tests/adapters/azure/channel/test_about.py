"""What a device says of itself, from the files that a Linux system has for it."""

from __future__ import annotations

import pytest

from adapters.azure.channel.about import device_information, introduction
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.twin_limits import check_twin_patch

SETTINGS = AzureSettings(
    host="h", device="d", symmetric_key_file="k", manufacturer="acme", model="gateway-3", root_keys_file="r"
)


@pytest.fixture
def root(tmp_path):
    """The root of a file system with what is read of it."""
    for folder in ("etc", "proc"):
        (tmp_path / folder).mkdir()
    (tmp_path / "etc/os-release").write_text('# a comment\nNAME="Acme Linux"\nVERSION_ID=4.2\n')
    (tmp_path / "proc/meminfo").write_text("MemTotal:         512000 kB\nMemFree: 1 kB\n")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineAcme\n")
    return tmp_path


def test_a_device_describes_itself(root):
    """Names from os-release, sizes in KB."""
    told = device_information(SETTINGS, root)

    assert (told["manufacturer"], told["model"]) == ("acme", "gateway-3")
    assert (told["osName"], told["swVersion"]) == ("Acme Linux", "4.2")
    assert (told["totalMemory"], told["processorManufacturer"]) == (512000, "GenuineAcme")
    assert told["totalStorage"] > 0


def test_texts_are_cut(root):
    """At 64 characters, as Microsoft's agent does."""
    (root / "etc/os-release").write_text(f"NAME={'n' * 100}\n")

    assert device_information(SETTINGS, root)["osName"] == "n" * 64


def test_what_a_machine_does_not_tell_is_left_out(tmp_path):
    """Rather than invented."""
    told = device_information(SETTINGS, tmp_path)

    assert "totalMemory" not in told
    assert "processorManufacturer" not in told
    assert told["osName"]


def test_the_introduction_is_a_patch_that_the_hub_takes():
    """Of this very machine."""
    patch = introduction(SETTINGS)

    check_twin_patch(patch)
    assert patch["deviceUpdate"]["agent"]["deviceProperties"]["aduVer"].startswith("otabridge;agent/")
    assert patch["deviceInformation"]["__t"] == "c"
