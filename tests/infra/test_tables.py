"""The README files of the modules tell what the modules take and give."""

from __future__ import annotations

import re

import pytest

from docs.terraform_module import read_module
from docs.terraform_tables import BEGIN, END, main, pages, tables, with_tables
from tests.infra.terraform import INFRA

READMES = sorted(INFRA.rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
FILES = {
    "versions.tf": """
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}
""",
    "main.tf": 'resource "aws_s3_bucket" "artifacts" {\n  bucket = var.name\n}\n',
    "variables.tf": """
variable "tags" {
  description = "Tags | of all."
  type        = map(string)
  default     = { service = "ota" }
}

variable "name" {
  description = "Begins all names."
  type        = string
}
""",
    "outputs.tf": 'output "arn" {\n  description = "The bucket."\n  value = aws_s3_bucket.artifacts.arn\n}\n',
}


def test_tables_in_readmes_are_current():
    """`make docs` would change no README of infra/."""
    assert pages()
    assert main(["--check"]) == 0


def test_tables_tell_what_a_module_takes_and_gives(tmp_path):
    """Required inputs come first; texts that would break a table are escaped."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    made = tables(read_module(tmp_path))

    assert "| aws | `>= 5.80, < 7.0` |" in made
    assert "| `aws_s3_bucket.artifacts` | main.tf |" in made
    assert "| `arn` | The bucket. |" in made
    required = "| `name` | Begins all names. | `string` | required |"
    optional = '| `tags` | Tags \\| of all. | `map(string)` | `{ service = "ota" }` |'
    assert made.index(required) < made.index(optional)


def test_only_what_is_between_the_marks_changes():
    """What people wrote around the tables stays."""
    assert with_tables(f"# Mine\n{BEGIN}\nold\n{END}\nmore\n", "new") == f"# Mine\n{BEGIN}\nnew\n{END}\nmore\n"


def test_a_readme_without_a_place_for_tables_is_refused():
    """Nothing is guessed about where the tables belong."""
    with pytest.raises(ValueError, match="where the tables belong"):
        with_tables("# Mine\n", "new")


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: str(readme.relative_to(INFRA)))
def test_links_lead_somewhere(readme):
    """Every relative link names a file or folder of the repository."""
    links = LINK.findall(readme.read_text())

    assert [link for link in links if not (readme.parent / link).exists()] == []
