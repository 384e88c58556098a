"""The module of infra/aws, planned by the real provider; skipped by name where a machine has not got it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.infra.absent import found_or_skip
from tests.infra.aws.emulated import EmulatedAws, emulated_aws
from tests.infra.aws.planned import Planned, read_plan
from tests.infra.mirrors import Mirror, installed
from tests.infra.terraform import INFRA, Terraform, prepare

ROOT = """
provider "aws" {{}}

module "otabridge" {{
  source = "../"
{arguments}
}}
"""
ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}"
ISSUER = "token.actions.githubusercontent.com"
ARGUMENTS = f"""
  name                 = "factory"
  artifact_bucket_name = "factory-artifacts"
  ledger_bucket_name   = "factory-ledger"
  tags                 = {{ team = "devices" }}
  adoptable_jobs       = ["AFR_OTA-*"]

  root_approver_principals       = ["{IAM}:role/root-holder"]
  approver_principals          = ["{IAM}:role/ann", "{IAM}:user/ben"]
  key_administrator_principals = ["{IAM}:role/keeper"]
  controller_principals        = ["{IAM}:role/operator"]
  pipeline_trust = [{{
    role         = "publisher"
    provider_arn = "{IAM}:oidc-provider/{ISSUER}"
    audience     = "sts.amazonaws.com"
    subjects     = ["repo:example/os:environment:publish"]
  }}]
"""
WITH_KEY = f"""
  name                 = "factory"
  artifact_bucket_name = "factory-artifacts"
  artifact_kms_key_arn = "arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
"""


@pytest.fixture(scope="session")
def provider() -> Mirror:
    """The real provider, as this machine has it."""
    return found_or_skip(lambda: installed("hashicorp/aws"))


@pytest.fixture(scope="module")
def aws(tmp_path_factory) -> Iterator[EmulatedAws]:
    """An AWS that says whose account it is."""
    with emulated_aws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def terraform(provider, aws, tmp_path_factory) -> Terraform:
    """The module in a folder of its own, with that AWS in its environment."""
    folder = tmp_path_factory.mktemp("terraform") / "aws"
    module = found_or_skip(lambda: prepare(folder, [provider], aws.environment()))
    module.copy(INFRA / "aws")
    return module


@pytest.fixture(scope="module")
def planned(terraform) -> Planned:
    """The module as it would be made, with most of what can be chosen."""
    return plan(terraform, ARGUMENTS)


@pytest.fixture(scope="module")
def planned_with_key(terraform) -> Planned:
    """The module as it would be made with a key of one's own for artifacts, and no principal at all."""
    return plan(terraform, WITH_KEY)


def plan(terraform: Terraform, arguments: str) -> Planned:
    """Plan a root that calls the module with `arguments`."""
    root = terraform.inside("root")
    shutil.rmtree(root.folder, ignore_errors=True)
    root.folder.mkdir()
    (root.folder / "main.tf").write_text(ROOT.format(arguments=arguments))
    root.init()
    root.run("plan", "-out=made.plan")
    return read_plan(root.run("show", "-json", "made.plan").json())
