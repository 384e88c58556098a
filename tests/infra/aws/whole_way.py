"""The whole way in one program, against one simulated AWS: Terraform makes the cloud of a fleet, otabridge takes what
it made for its configuration, keys that it made sign a release, the release is published and rolled out, a device's
real agent installs it and boots it, and Terraform takes everything away again.

    python -m tests.infra.aws.whole_way [FOLDER]

The program tells each step as it ends. The provider, otabridge and the agent are the real ones; AWS is
`tests.infra.aws.emulated`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from bridge.demo.board import Board
from bridge.demo.boards import HARDWARE, MODEL, Stock, make_boards, switched_on
from bridge.demo.commands import CommandLine
from tests.infra.aws.emulated import EmulatedAws, emulated_aws
from tests.infra.mirrors import installed
from tests.infra.terraform import INFRA, Terraform, prepare

SCHEMA = INFRA.parent / "docs" / "reference" / "tool-config.schema.json"
FLEET = "factory"
THING = "gate-1"
MEBIBYTE = 1 << 20
APPLY_SECONDS = 600.0
PATIENCE = 120.0
UNCHANGED = 0
CONTROLLER_IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/otabridge@sha256:{'0' * 64}"
PROVIDER = """
provider "aws" {
  s3_use_path_style = true # one address serves all buckets here
}
"""
CONFIG = """\
[store]
path = "otabridge.db"

[trust]
folder = "trust"
"""
ROLLOUT = """\
name: spring
release: releases/2.0.0
fleets: [{name: factory, group: fleet-factory}]
stages: [{percent: 100}]
budget: {failures: 0}
timeout_minutes: 5
"""
Tell = Callable[[str], None]
Json = Mapping[str, Any]


class Registrar:
    """Registers devices as a person would, in the group that Terraform made; what boards ask of a cloud."""

    cloud = "aws"

    def __init__(self, aws: EmulatedAws, group: str) -> None:
        self._aws = aws
        self._group = group

    def add_device(self, name: str, _folder: Path) -> Json:
        """A thing with a certificate of its own; its settings for `[channel.aws]`."""
        identity = self._aws.add_thing(name)
        self._aws.client("iot").add_thing_to_thing_group(thingGroupName=self._group, thingName=name)
        return {
            "endpoint": identity.mqtt_host,
            "port": identity.mqtt_port,
            "thing": identity.thing,
            "certificate_file": str(identity.cert_file),
            "key_file": str(identity.key_file),
            "ca_file": str(identity.ca_file),
            "flow_control": False,
        }


class WholeWay:
    """One account, one folder; the steps in their order. Every step raises where something is not as it must be."""

    def __init__(self, aws: EmulatedAws, folder: Path, tell: Tell) -> None:
        self._aws = aws
        self._folder = folder
        self._tell = tell
        self._began = time.monotonic()
        self._terraform = _prepared(aws, folder)
        self.otabridge = CommandLine(folder, aws.environment())

    def apply(self) -> Json:
        """Make the cloud; a second plan finds nothing to do. Returns `tool_config`, which is as its schema says."""
        self._terraform.init()
        self._terraform.apply(seconds=APPLY_SECONDS)
        made = self._terraform.run("state", "list").stdout.splitlines()
        self._say(f"terraform apply: {len(made)} resources and data sources")
        self.plan_again("at once")
        config = self._terraform.output("tool_config")
        jsonschema.validate(config, json.loads(SCHEMA.read_text()))
        return config

    def plan_again(self, when: str) -> None:
        """Nothing differs from what Terraform made."""
        self._terraform.run("plan", "-detailed-exitcode", codes=(UNCHANGED,), seconds=APPLY_SECONDS)
        self._say(f"terraform plan, {when}: no changes")

    def add_fleet(self) -> None:
        """The output becomes the fleet's configuration; each permission is proven, and all that was made looked at."""
        (self._folder / "otabridge.toml").write_text(CONFIG)
        output = self._folder / "cloud.json"
        output.write_text(self._terraform.run("output", "-json").stdout)
        self._run("fleet", "add", FLEET, "--from-terraform", output.name)
        self._run("fleet", "check", FLEET)
        self._run("fleet", "check", FLEET, "--duty", "viewer", "--from-terraform", output.name)

    def sign(self, keys: Json) -> None:
        """A root and a release, both signed by keys in KMS that Terraform made."""
        for name in ("root", "releases"):
            self._run("keys", "import", keys[f"{name}_key_uri"], "--name", name)
        self._run(
            *("root", "init", "--root-key", "root.pub.json", "--release-key", "releases.pub.json"),
            *("--sign", "root.pub.json", "--out", "trust"),
        )
        self._run(
            *("release", "build", "--image", str(self._image("2.0.0")), "--name", "gate-os", "--version", "2.0.0"),
            *("--sequence", "2", "--model", MODEL, "--hardware", HARDWARE, "--level", "3", "--out", "releases/2.0.0"),
        )
        self._run("release", "sign", "releases/2.0.0", "--key", "releases.pub.json", "--trust", "trust")

    def publish(self, bucket: str) -> None:
        """Artifacts lie in the bucket that Terraform made, and nowhere else."""
        self._run("release", "publish", "releases/2.0.0", "--fleet", FLEET)
        objects = self._aws.client("s3").list_objects_v2(Bucket=bucket)
        assert objects["KeyCount"] == 1, objects

    def roll_out(self, board: Board) -> None:
        """The device reports itself, the rollout reaches it, and it runs the release from its other slot."""
        with switched_on([board]):
            self._await(self._is_indexed, f"{THING} in the fleet index")
            self._say(f"{THING} reports itself; the fleet index finds it by its bucket")
            (self._folder / "spring.yaml").write_text(ROLLOUT)
            self._run("rollout", "apply", "spring.yaml", "--interval", "0.5", "--timeout", str(PATIENCE))
        assert board.boots == ["a", "b"], board.boots
        stages = self.otabridge.ask("rollout", "status", "spring")["stages"]
        counts = stages[0]["fleets"][0]["counts"]
        assert counts["installed"] == 1, counts
        self._say(f"{THING} booted slot b and committed; installed: {counts['installed']}")

    def board(self, group: str) -> Board:
        """A device of the fleet's group with release 1.0.0 in slot a."""
        stock = Stock(self._image("1.0.0"), "1.0.0", 2 * MEBIBYTE, self._folder / "trust" / "1.root.json")
        (board,) = make_boards(Registrar(self._aws, group), [THING], self._folder / "devices", stock)
        config = board.files.config
        config.write_text(config.read_text().replace("allow_http = true", f'ca_file = "{self._aws.ca_file}"'))
        return board

    def destroy(self) -> None:
        """Nothing stays."""
        self._terraform.destroy(seconds=APPLY_SECONDS)
        left = self._terraform.run("state", "list").stdout
        assert left == "", left
        assert self._aws.client("s3").list_buckets()["Buckets"] == []
        self._say("terraform destroy: nothing is left")

    def _run(self, *words: str) -> None:
        self.otabridge.run(*words)
        self._say(f"otabridge {' '.join(words)}")

    def _image(self, version: str) -> Path:
        image = self._folder / f"gate-os-{version}.img"
        image.write_bytes(f"gate-os {version}\n".encode().ljust(MEBIBYTE, b"\0"))
        return image

    def _is_indexed(self) -> bool:
        query = "shadow.name.otabridge.reported.bucket:[0 TO 9999]"
        return bool(self._aws.client("iot").search_index(queryString=query)["things"])

    def _await(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s"
            time.sleep(0.2)

    def _say(self, line: str) -> None:
        self._tell(f"{time.monotonic() - self._began:6.1f} s  {line}")


def walk(folder: Path, tell: Tell) -> None:
    """Go the whole way in `folder`. Raises: Absent, where Terraform or its provider is not on this machine."""
    with emulated_aws(folder / "aws") as aws:
        way = WholeWay(aws, folder, tell)
        try:
            made = way.apply()
            way.add_fleet()
            way.sign(made["resources"])
            way.publish(made["fleet"]["bucket"])
            way.roll_out(way.board(made["resources"]["thing_group"]))
            way.plan_again("after the rollout")
        finally:
            way.destroy()


def _prepared(aws: EmulatedAws, folder: Path) -> Terraform:
    """The example in a folder of its own, with the values of this one run."""
    module = prepare(folder / "terraform", [installed("hashicorp/aws")], aws.environment())
    module.copy(INFRA / "aws")
    example = module.inside("examples/complete")
    (example.folder / "emulated_override.tf").write_text(PROVIDER)
    (example.folder / "run.auto.tfvars.json").write_text(json.dumps(_values(aws)))
    return example


def _values(aws: EmulatedAws) -> Json:
    """What a person would write into terraform.tfvars; the network is the account's default one."""
    iam = f"arn:aws:iam::{aws.account}:role"
    ec2: Any = aws.client("ec2")
    return {
        "region": aws.region,
        "name": FLEET,
        "tags": {"team": "devices"},
        "disposable": True,
        "ledger_bucket_name": f"{FLEET}-ledger",
        "root_approver_principals": [f"{iam}/root-holder"],
        "approver_principals": [f"{iam}/release-approver"],
        "controller_principals": [f"{iam}/operator"],
        "controller": {
            "image": CONTROLLER_IMAGE,
            "database_url_secret_arn": f"arn:aws:secretsmanager:{aws.region}:{aws.account}:secret:store-AbCdEf",
            "files": {"file_system_id": "fs-0123456789abcdef0", "access_point_id": "fsap-0123456789abcdef0"},
            "vpc_id": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
            "subnet_ids": [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]],
        },
    }


def main() -> int:
    """Go it in a folder of its own, or in the one that is named."""
    tell: Tell = lambda line: print(line, flush=True)  # noqa: E731, T201 - the program's one output
    if len(sys.argv) > 1:
        walk(Path(sys.argv[1]).resolve(), tell)
        return os.EX_OK
    with tempfile.TemporaryDirectory(prefix="whole-way-") as folder:
        walk(Path(folder), tell)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
