"""Terraform in a folder of its own: with a CLI configuration that knows local mirrors only, and nothing of the
person's environment, so that no run can reach a registry or somebody's cloud account.

    module = prepare(tmp_path / "aws", [installed("hashicorp/aws")])
    module.copy(Path("infra/aws"))
    module.init()
    module.run("validate")
    module.run("plan", "-detailed-exitcode", codes=(0, 2), seconds=120)
    module.output("tool_config")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.infra import processes
from tests.infra.absent import Absent
from tests.infra.mirrors import Mirror
from tests.infra.processes import Run

INFRA = Path(__file__).resolve().parents[2] / "infra"
NOT_COPIED = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
SECONDS = 120.0
CLI_FILE = "terraform.tfrc"
COLOURLESS = ("providers", "state", "version")
"""Commands that know no -no-color, and need none."""
QUIET = {
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "CHECKPOINT_DISABLE": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""No questions, no hints, no call to anybody."""


def binary() -> str:
    """The path of `terraform`. Raises: Absent."""
    found = shutil.which("terraform")
    if found is None:
        raise Absent("terraform is not in PATH: install Terraform 1.9 or later")
    return found


@dataclass(frozen=True, slots=True)
class Terraform:
    """Runs Terraform in `folder` with `environment`, and nothing of this process's own; `prepare` makes one."""

    program: str
    folder: Path
    environment: Mapping[str, str]

    def copy(self, module: Path) -> None:
        """Copy a module into the folder, without what Terraform left in it: the checkout stays as it is."""
        shutil.copytree(module, self.folder, ignore=NOT_COPIED, dirs_exist_ok=True)

    def inside(self, below: str) -> Terraform:
        """The same for a folder below this one, such as `examples/complete`."""
        return replace(self, folder=self.folder / below)

    def run(self, command: str, *arguments: str, codes: Sequence[int] = (0,), seconds: float = SECONDS) -> Run:
        """`terraform COMMAND`, without colours. Raises: Failed, with all that it printed."""
        line = (self.program, command, *(() if command in COLOURLESS else ("-no-color",)), *arguments)
        return processes.run(line, self.folder, self.environment, seconds=seconds, codes=codes)

    def init(self, *, codes: Sequence[int] = (0,)) -> Run:
        """`terraform init` without a backend."""
        return self.run("init", "-backend=false", codes=codes)

    def apply(self, *arguments: str, seconds: float = SECONDS) -> Run:
        """`terraform apply` without asking."""
        return self.run("apply", "-auto-approve", *arguments, seconds=seconds)

    def destroy(self, *arguments: str, seconds: float = SECONDS) -> Run:
        """`terraform destroy` without asking."""
        return self.run("destroy", "-auto-approve", *arguments, seconds=seconds)

    def output(self, name: str) -> Any:
        """The value of one output."""
        return self.run("output", "-json", name).json()


def prepare(folder: Path, mirrors: Sequence[Mirror] = (), environment: Mapping[str, str] | None = None) -> Terraform:
    """Terraform in `folder`, which is made, with the providers of `mirrors` and no others.

    `environment` is added to a PATH of the system's programs and a home beside the folder. Raises: Absent.
    """
    home = folder.with_name(f"{folder.name}.home")
    for each in (folder, home):
        each.mkdir(parents=True, exist_ok=True)
    configuration = home / CLI_FILE
    configuration.write_text(cli_configuration(mirrors))
    own = {"PATH": os.defpath, "HOME": str(home), "TF_CLI_CONFIG_FILE": str(configuration)}
    return Terraform(binary(), folder, {**own, **QUIET, **(environment or {})})


def cli_configuration(mirrors: Sequence[Mirror]) -> str:
    """The text of a CLI configuration file: each provider from its own mirror, all others from nowhere."""
    blocks = "".join(
        f'  filesystem_mirror {{\n    path    = "{mirror.folder}"\n    include = ["{mirror.address}"]\n  }}\n'
        for mirror in mirrors
    )
    return f"disable_checkpoint = true\nprovider_installation {{\n{blocks}}}\n"
