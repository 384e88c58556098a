"""Terraform's own formatter would change nothing."""

from __future__ import annotations

import pytest

from tests.infra.absent import found_or_skip
from tests.infra.terraform import INFRA, prepare


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_files_are_formatted(tmp_path, cloud):
    """`terraform fmt` finds nothing to change in a module, its examples and its tests."""
    terraform = found_or_skip(lambda: prepare(tmp_path / cloud))
    terraform.copy(INFRA / cloud)

    formatted = terraform.run("fmt", "-check", "-recursive", "-diff", codes=(0, 3))

    assert formatted.stdout == ""


def test_the_formatter_is_heard(tmp_path):
    """A file that is not formatted is found, so that silence means something."""
    terraform = found_or_skip(lambda: prepare(tmp_path / "module"))
    (terraform.folder / "main.tf").write_text("locals {\na=1\n}\n")

    assert "main.tf" in terraform.run("fmt", "-check", codes=(3,)).stdout
