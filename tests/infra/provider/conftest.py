"""For the tests of the provider that knows schemas and nothing else."""

from __future__ import annotations

import pytest

from tests.infra.absent import found_or_skip
from tests.infra.provider.installation import SCHEMAS, install
from tests.infra.terraform import prepare


@pytest.fixture
def terraform_on(tmp_path):
    """Terraform in an empty folder, given the schema from which azurerm is played."""

    def terraform(schema):
        mirror = install(tmp_path / "mirror", SCHEMAS / f"{schema}.json")
        return found_or_skip(lambda: prepare(tmp_path / "module", [mirror]))

    return terraform
