"""The examples of pipelines: every command in them is one, in the order that releases need, and no secret is kept."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml

from bridge.cli.app import app

PIPELINES = Path(__file__).parents[3] / "infra/pipelines"
FILES = {
    "github": PIPELINES / "github/otabridge.yml",
    "gitlab": PIPELINES / "gitlab/.gitlab-ci.yml",
    "azure-devops": PIPELINES / "azure-devops/azure-pipelines.yml",
}
SCRIPTS = {"run", "script", "bash", "inlineScript", "before_script", "after_script"}
VARIABLE = re.compile(r"\$\{\{.*?\}\}|\$\([^)]*\)|\$\{?\w+\}?")
WORK = [
    "fleet add",
    "fleet check",
    "release build",
    "release sign",
    "release verify",
    "release publish",
    "rollout plan",
    "rollout apply",
    "rollout status",
]
MISUSE = typer.BadParameter.__base__
"""What Click raises for a command line that it cannot read; newer versions of Typer bring a Click of their own."""
TERRAFORM = ["fmt -check", "validate", "plan", "apply"]


def scripts(value, key="") -> Iterator[str]:
    """Every script of a pipeline, in the file's order; a list of lines is one."""
    if key in SCRIPTS:
        yield "\n".join(value) if isinstance(value, list) else value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from scripts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from scripts(inner)


def lines(file) -> list[str]:
    """Every line of its scripts, continued lines joined."""
    text = "\n".join(scripts(yaml.safe_load(file.read_text()))).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines()]


def commands(file) -> list[list[str]]:
    """The arguments of each `otabridge`, with 1 for what a variable would say, without what the shell reads."""
    words = [shlex.split(VARIABLE.sub("1", line)) for line in lines(file) if line.startswith("otabridge ")]
    ends = ("||", "|", ">", "&&", ";")
    return [line[1 : next((at for at, word in enumerate(line) if word in ends), None)] for line in words]


def parse(arguments):
    """The context that `otabridge` parses them into, up to where it would begin to act. Raises: MISUSE."""
    command, rest, context = typer.main.get_command(app), list(arguments), None
    while True:
        context = command.make_context(command.name, rest, parent=context)
        if not hasattr(command, "commands"):
            return context
        rest = [*context._protected_args, *context.args]
        _, command, rest = command.resolve_command(context, rest)


@pytest.fixture(params=FILES.values(), ids=FILES)
def pipeline(request) -> Path:
    """One of the files."""
    return request.param


def test_every_command_is_one_of_otabridge(pipeline):
    """No option is invented, and none is forgotten that is needed."""
    found = commands(pipeline)

    assert len(found) >= len(WORK)
    for arguments in found:
        parse(arguments)


def test_an_invented_option_would_be_noticed():
    """So would a missing one, and a command that is none."""
    for wrong in (["rollout", "apply", "x", "--await"], ["release", "sign", "x"], ["fleet", "chek", "x"]):
        with pytest.raises(MISUSE):
            parse(wrong)


def test_the_work_is_whole_and_in_order(pipeline):
    """From the fleet's configuration to the end of the rollout."""
    found = list(dict.fromkeys(" ".join(arguments[:2]) for arguments in commands(pipeline)))

    assert found == WORK


def test_terraform_looks_before_it_acts(pipeline):
    """fmt, validate, plan, and that plan applied; rollouts are none of its business."""
    done = [line.partition("-chdir=terraform ")[2] for line in lines(pipeline) if line.startswith("terraform ")]

    order = [next(at for at, line in enumerate(done) if line.startswith(step)) for step in TERRAFORM]
    assert order == sorted(order)
    assert any(line.startswith("plan ") and "-detailed-exitcode -out=tfplan" in line for line in done)
    assert any(line.startswith("apply ") and line.endswith(" tfplan") for line in done)


def test_a_plan_is_applied_as_it_was_approved(pipeline):
    """Planned with an exit code that tells, saved, and the saved plan waited for."""
    planned, applied = (
        next(arguments for arguments in commands(pipeline) if arguments[:2] == ["rollout", verb])
        for verb in ("plan", "apply")
    )

    context = parse(applied)
    assert {"--detailed-exitcode", "--out"} <= set(planned)
    assert str(context.params["file"]) == planned[planned.index("--out") + 1]
    assert context.params["wait"] is True
    assert context.params["timeout"] > 0


def test_no_secret_is_kept(pipeline):
    """Tokens of the platform are exchanged for credentials; what is stored is no secret."""
    text = "\n".join(line for line in pipeline.read_text().splitlines() if not line.lstrip().startswith("#"))

    assert re.findall(r"secrets\.|SECRET_ACCESS_KEY|CLIENT_SECRET|PASSPHRASE|AccountKey|://\w+:[^@/]+@", text) == []
    assert all(value.startswith('"$(') for value in re.findall(r"PGPASSWORD=(\S+)", text))
    assert {"github": "id-token: write", "gitlab": "id_tokens:", "azure-devops": "$idToken"}[
        next(name for name, file in FILES.items() if file == pipeline)
    ] in text


def test_people_stand_between_plan_and_act(pipeline):
    """Environments in which somebody has to approve."""
    document = pipeline.read_text()

    assert {"infrastructure", "signing", "production"} == set(re.findall(r"(?m)^\s+environment: ([\w-]+)$", document))


def test_scripts_are_ones_that_a_shell_reads(pipeline):
    """Bash parses each without running it."""
    for script in scripts(yaml.safe_load(pipeline.read_text())):
        text = re.sub(r"\$\{\{.*?\}\}", "1", script)
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)

        assert (done.returncode, done.stderr) == (0, "")


def test_a_wait_that_is_over_is_no_failure_and_the_plan_goes_on(desk):
    """What the pipelines rely on: 2 to apply, 22 while it runs, and the same plan applied again goes on."""
    desk.stall()
    planned = desk.rollout("plan", "rollout.yaml", "--out", "plans/gates.json", "--detailed-exitcode")
    first = desk.rollout("apply", "plans/gates.json", "--wait", "--timeout", "0", "--interval", "0.1")
    desk.depot.silent = frozenset()
    again = desk.rollout("apply", "plans/gates.json", "--wait", "--timeout", "60", "--interval", "0.1")
    nothing = desk.rollout("plan", "rollout.yaml", "--detailed-exitcode")

    assert (planned.code, first.code, again.code, nothing.code) == (2, 22, 0, 0)
