"""infra/aws on the real provider: valid, and good by its own tests. Nothing is applied, no account is asked."""

from __future__ import annotations

import shutil

import pytest

from tests.infra.absent import found_or_skip
from tests.infra.provider.installation import SCHEMAS, install
from tests.infra.terraform import INFRA, prepare

MINUTES = 600.0

pytestmark = pytest.mark.timeout(MINUTES)


@pytest.fixture
def module(provider, tmp_path):
    """The module in a folder of its own, without an AWS."""
    module = found_or_skip(lambda: prepare(tmp_path / "aws", [provider]))
    module.copy(INFRA / "aws")
    return module


@pytest.mark.parametrize("folder", [".", "modules/controller"])
def test_modules_are_valid_and_pass_their_own_tests(module, folder):
    """`terraform validate`, then `terraform test`: plans, with the account's number the only thing made up."""
    part = module.inside(folder)
    part.init()

    assert "configuration is valid" in part.run("validate").stdout
    assert " 0 failed" in part.run("test", seconds=MINUTES).stdout


def test_the_example_is_valid(module):
    """With the values that are proposed beside it."""
    example = module.inside("examples/complete")
    shutil.copy(example.folder / "terraform.tfvars.example", example.folder / "terraform.tfvars")
    example.init()

    assert "configuration is valid" in example.run("validate").stdout


@pytest.mark.parametrize("schema", ["aws-5.80", "aws-6"])
def test_modules_are_valid_on_the_oldest_and_on_the_newest_provider(tmp_path, schema):
    """By their schemas alone, which a stand-in serves: names, types and what is required; nothing is planned."""
    stand_in = found_or_skip(lambda: install(tmp_path / "mirror", SCHEMAS / f"{schema}.json"))
    module = found_or_skip(lambda: prepare(tmp_path / "aws", [stand_in]))
    module.copy(INFRA / "aws")

    for part in (module, module.inside("modules/controller"), module.inside("examples/complete")):
        part.init()
        assert "configuration is valid" in part.run("validate").stdout
