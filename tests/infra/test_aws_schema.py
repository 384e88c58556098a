"""infra/aws on schemas of the oldest version that it takes and of version 6; between them is the real provider."""

from __future__ import annotations

import pytest

from tests.infra.absent import found_or_skip
from tests.infra.provider.installation import SCHEMAS, install
from tests.infra.terraform import INFRA, prepare


@pytest.mark.parametrize("folder", [".", "modules/controller", "examples/complete"])
@pytest.mark.parametrize("version", ["5.80", "6"])
def test_modules_are_valid_on_schemas(tmp_path, version, folder):
    """`terraform validate` finds no argument, block or attribute that the version does not have."""
    mirror = install(tmp_path / "mirror", SCHEMAS / f"aws-{version}.json")
    assert mirror.version.startswith(f"{version}.")
    module = found_or_skip(lambda: prepare(tmp_path / "aws", [mirror]))
    module.copy(INFRA / "aws")
    chosen = module.inside(folder)
    chosen.init()

    assert "configuration is valid" in chosen.run("validate").stdout


def test_the_oldest_version_is_the_lower_bound():
    """The lower bound of versions.tf is one that was tried."""
    assert '">= 5.80, < 7.0"' in (INFRA / "aws" / "versions.tf").read_text()
