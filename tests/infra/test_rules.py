"""The files of all modules keep the rules, and each rule finds what breaks it."""

from __future__ import annotations

import shutil

import pytest

from docs.terraform_module import modules, read_module
from tests.infra.rules import OF_ALL, OF_MODULES, broken
from tests.infra.terraform import INFRA

EXAMPLES = "examples"
MODULES = [folder for folder in modules(INFRA) if EXAMPLES not in folder.parts]
ROOTS = [folder for folder in modules(INFRA) if EXAMPLES in folder.parts]
GOOD = {
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
    "variables.tf": """
variable "name" {
  description = "Begins all names."
  type        = string
  validation {
    condition     = length(var.name) > 2
    error_message = "name must be longer."
  }
}
""",
    "outputs.tf": """
output "name" {
  description = "The name."
  value       = var.name
}
""",
    "README.md": "",
}
MISTAKES = {
    "variable.name has no type": ("variables.tf", "  type        = string\n", ""),
    "variable.name has no description": ("variables.tf", "names.", "names"),
    "output.name has no description": ("outputs.tf", 'description = "The name."', ""),
    "variable.name is used by nothing": ("outputs.tf", "var.name", '"fixed"'),
    "variable.name refuses without": ("variables.tf", "longer.", "longer"),
    "configures the provider aws": ("outputs.tf", "output", 'provider "aws" {}\noutput'),
    "says where the state lies (backend)": ("versions.tf", "terraform {", 'terraform {\n  backend "s3" {}'),
    "no required_version": ("versions.tf", '  required_version = ">= 1.9"\n', ""),
    "the provider aws has the version": ("versions.tf", ", < 7.0", ""),
    "module.vpc comes from terraform-aws": (
        "outputs.tf",
        "output",
        'module "vpc" {\n  source = "terraform-aws-modules/vpc/aws"\n}\noutput',
    ),
    "resource.null_resource.run runs a program": ("outputs.tf", "output", 'resource "null_resource" "run" {}\noutput'),
    "README.md is missing": ("README.md", "", None),
}


def name(folder):
    """How a module is called in a test's name."""
    return str(folder.relative_to(INFRA))


@pytest.mark.parametrize("folder", MODULES, ids=name)
def test_modules_keep_the_rules(folder):
    """Every variable and output is typed and described, no provider or state is configured, versions are bounded."""
    assert broken(read_module(folder), OF_MODULES) == []


@pytest.mark.parametrize("folder", ROOTS, ids=name)
def test_examples_keep_the_rules(folder):
    """Examples are root modules: they configure providers, and keep all other rules."""
    assert broken(read_module(folder), OF_ALL) == []


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_each_cloud_has_its_parts(cloud):
    """Each cloud has a module, one for the controller, an example of both, and tests."""
    parts = [INFRA / cloud, INFRA / cloud / "modules" / "controller", INFRA / cloud / "examples" / "complete"]

    assert [part for part in parts if part not in modules(INFRA)] == []
    assert list((INFRA / cloud / "tests").glob("*.tftest.hcl"))


@pytest.mark.parametrize("sentence", MISTAKES)
def test_each_rule_finds_what_breaks_it(tmp_path, sentence):
    """A module with one mistake is told that mistake, and no other."""
    file, right, wrong = MISTAKES[sentence]
    for each, text in GOOD.items():
        (tmp_path / each).write_text(text)
    (tmp_path / file).unlink() if wrong is None else plant(tmp_path / file, right, wrong)

    found = broken(read_module(tmp_path), OF_MODULES)

    assert [sentence in each for each in found] == [True], found


def test_a_good_module_breaks_no_rule(tmp_path):
    """The module in which the mistakes are planted has none of its own."""
    for each, text in GOOD.items():
        (tmp_path / each).write_text(text)

    assert broken(read_module(tmp_path), OF_MODULES) == []


def test_a_file_that_is_no_hcl_is_named(tmp_path):
    """A broken file is told by its name."""
    shutil.copy(INFRA / "azure" / "versions.tf", tmp_path)
    (tmp_path / "main.tf").write_text("resource {{{")

    with pytest.raises(ValueError, match=r"main\.tf is not HCL"):
        read_module(tmp_path)


def plant(file, right, wrong):
    """Put a mistake into a file; the place must be there."""
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))
