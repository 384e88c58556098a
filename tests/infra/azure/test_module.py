"""infra/azure on the schemas of azurerm 4 and 5: no account, nothing applied to a cloud."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest

from adapters.azure.fleet.settings import parse_settings
from bridge.tool_config import parse_tool_config
from tests.infra.absent import found_or_skip
from tests.infra.mirrors import installed
from tests.infra.provider.installation import SCHEMAS, install
from tests.infra.terraform import INFRA, prepare

ROOT = INFRA.parent
SCHEMA = ROOT / "docs" / "reference" / "tool-config.schema.json"
VERSIONS = {"azurerm-4": "4.", "azurerm-5": "5."}
OLDEST = "azurerm-4.42"
FOLDERS = (".", "modules/controller", "examples/complete")
CHANGES = 2
"""What `plan -detailed-exitcode` ends with where something would change."""


@pytest.fixture(params=VERSIONS)
def terraform(request, tmp_path):
    """The module in a folder of its own, on one version of azurerm."""
    mirror = install(tmp_path / "mirror", SCHEMAS / f"{request.param}.json")
    assert mirror.version.startswith(VERSIONS[request.param])
    module = found_or_skip(lambda: prepare(tmp_path / "azure", [mirror]))
    module.copy(INFRA / "azure")
    return module


@pytest.fixture
def example(terraform):
    """The example, with the values that are proposed beside it."""
    folder = terraform.inside("examples/complete")
    shutil.copy(folder.folder / "terraform.tfvars.example", folder.folder / "terraform.tfvars")
    folder.init()
    return folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_are_valid_on_the_oldest_version(tmp_path, folder):
    """The lower bound of versions.tf is one that was tried."""
    mirror = install(tmp_path / "mirror", SCHEMAS / f"{OLDEST}.json")
    terraform = found_or_skip(lambda: prepare(tmp_path / "azure", [mirror]))
    terraform.copy(INFRA / "azure")
    module = terraform.inside(folder)
    module.init()

    assert "configuration is valid" in module.run("validate").stdout
    assert f">= {mirror.version.removesuffix('.0')}, <" in (module.folder / "versions.tf").read_text()


@pytest.mark.parametrize("folder", FOLDERS[:2])
def test_modules_are_valid_and_pass_their_own_tests(terraform, folder):
    """`terraform validate`, then `terraform test` with Azure played by the module's own mocks."""
    module = terraform.inside(folder)
    module.init()

    assert "configuration is valid" in module.run("validate").stdout
    assert " 0 failed" in module.run("test").stdout


@pytest.mark.parametrize("folder", FOLDERS[:2])
def test_modules_pass_their_own_tests_on_the_real_provider(tmp_path, folder):
    """Where a machine has azurerm, its own validators judge the module, too; mocks need no account."""
    mirror = found_or_skip(lambda: installed("hashicorp/azurerm"))
    terraform = found_or_skip(lambda: prepare(tmp_path / "azure", [mirror]))
    terraform.copy(INFRA / "azure")
    module = terraform.inside(folder)
    module.init()

    assert "configuration is valid" in module.run("validate").stdout
    assert " 0 failed" in module.run("test", seconds=300).stdout


def test_the_example_is_applied_once_and_for_all(example):
    """A plan shows changes, an apply makes them, a second plan shows none, and destroying leaves nothing."""
    example.run("plan", "-detailed-exitcode", codes=(CHANGES,))
    example.apply()

    assert "No changes" in example.run("plan", "-detailed-exitcode").stdout
    example.destroy()
    assert example.run("state", "list").stdout == ""


def test_otabridge_takes_the_output(example):
    """What the example puts out is a fleet, by otabridge's own reading, and by its published schema."""
    example.apply()
    printed = example.run("output", "-json").stdout

    config = parse_tool_config(printed.encode(), "output")
    settings = {name: value for name, value in config.settings.items() if name != "cloud"}
    parsed = parse_settings("europe", settings)

    assert (parsed.hub, parsed.container, parsed.by_bucket) == ("acme-hub.azure-devices.net", "artifacts", True)
    jsonschema.validate(example.output("tool_config"), json.loads(SCHEMA.read_text()))


def test_the_output_holds_no_secret(example):
    """The key by which the hub is linked to provisioning is in the state, and nowhere in what is put out."""
    example.apply()

    assert "SharedAccessKey=" in example.run("show", "-json").stdout
    assert "SharedAccessKey" not in example.run("output", "-json").stdout
