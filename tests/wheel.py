"""`make wheel`: install the wheel in clean environments, a device's and a control plane's, and run both commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
AT_ONCE = 2
"""Environments; they wait for the network and for the disk in turn."""


@dataclass(frozen=True)
class Run:
    """A command line in the environment, its exit code, and words that its output holds."""

    line: tuple[str, ...]
    code: int
    says: str


@dataclass(frozen=True)
class Environment:
    """What an extra must bring, must not bring, and lets people run."""

    extra: str
    absent: tuple[str, ...]
    present: tuple[str, ...]
    runs: tuple[Run, ...]


ENVIRONMENTS = (
    Environment(
        extra="device-aws",
        absent=("boto3", "botocore", "typer", "sqlalchemy", "rich"),
        present=("awscrt", "adapters.aws.device", "agent.systemd"),
        runs=(
            Run(("otabridge-agent", "--version"), 0, "otabridge-agent 0.1.0"),
            Run(("otabridge-agent", "--config", "absent.toml", "check"), 2, "absent.toml"),
            Run(("otabridge", "--help"), 2, "pip install 'otabridge[aws,azure]'"),
        ),
    ),
    Environment(
        extra="device-azure",
        absent=("boto3", "awscrt", "typer", "sqlalchemy", "rich", "azure.iot.deviceupdate", "azure.storage"),
        present=("azure.iot.device", "adapters.azure.device", "agent.systemd"),
        runs=(
            Run(("otabridge-agent", "--version"), 0, "otabridge-agent 0.1.0"),
            Run(("otabridge-agent", "--config", "absent.toml", "check"), 2, "absent.toml"),
        ),
    ),
    Environment(
        extra="aws",
        absent=("awscrt", "moto", "psycopg"),
        present=("boto3", "numpy", "adapters.aws.cloud", "bridge.store.upgrade", "bridge.schedule.freeze"),
        runs=(
            Run(("otabridge", "rollout", "new", "--help"), 0, "--fleet"),
            Run(("otabridge", "rollout", "rehearse", "absent.yaml"), 2, "there is no configuration"),
            Run(("otabridge", "delta", "make", "absent.img", "absent.img", "--out", "a.delta"), 2, "absent.img"),
            Run(("otabridge", "--version"), 0, "otabridge 0.1.0"),
            Run(("otabridge", "release", "build", "--help"), 0, "--image"),
            Run(("otabridge-agent", "--version"), 0, "otabridge-agent 0.1.0"),
        ),
    ),
    Environment(
        extra="azure",
        absent=("awscrt", "boto3", "moto", "azure.iot.device"),
        present=("azure.iot.hub", "adapters.azure.cloud"),
        runs=(
            Run(("otabridge", "--version"), 0, "otabridge 0.1.0"),
            Run(("otabridge", "translate", "azure", "absent"), 2, "absent"),
        ),
    ),
)


def main(folder: Path) -> int:
    """Check every environment with the one wheel in `folder`; 1 when anything is not as it must be."""
    (wheel,) = folder.glob("otabridge-*.whl")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        faults = [*chain.from_iterable(pool.map(partial(check, wheel), ENVIRONMENTS))]
    print("\n".join(faults) or f"{wheel.name}: both commands run from {len(ENVIRONMENTS)} clean environments")  # noqa: T201 - its result
    return 1 if faults else 0


def check(wheel: Path, environment: Environment) -> list[str]:
    """Faults found after installing `wheel[extra]` into a new virtual environment."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch)
        programs = Path(scratch) / "bin"
        install(programs, scratch, f"{wheel.resolve()}[{environment.extra}]")
        faults = [fault for run in environment.runs for fault in try_run(programs, scratch, run)]
        faults += [f"{name} is installed" for name in environment.absent if importable(programs, scratch, name)]
        faults += [f"{name} is missing" for name in environment.present if not importable(programs, scratch, name)]
        return [f"[{environment.extra}] {fault}" for fault in faults]


def install(programs: Path, folder: str, requirement: str) -> None:
    """By the pip that runs here; byte code is made of what is imported, which is little of it."""
    into = (sys.executable, "-m", "pip", "--python", str(programs / "python"), "--disable-pip-version-check", "install")
    line = (*into, "--quiet", "--no-compile", "--constraint", str(CONSTRAINTS), requirement)
    subprocess.run(line, cwd=folder, check=True, timeout=600)


def try_run(programs: Path, folder: str, run: Run) -> list[str]:
    """What was otherwise than `run` says; a traceback is always a fault."""
    done = call(programs, folder, run.line)
    said = done.stdout + done.stderr
    if done.returncode == run.code and run.says in said and "Traceback" not in said:
        return []
    return [f"{' '.join(run.line)}: exit {done.returncode}, expected {run.code} with {run.says!r}:\n{said}"]


def importable(programs: Path, folder: str, name: str) -> bool:
    """Whether `name` can be imported in the environment."""
    return call(programs, folder, ("python", "-c", f"import {name}")).returncode == 0


def call(programs: Path, folder: str, line: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, outside the checkout."""
    command = [str(programs / line[0]), *line[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
