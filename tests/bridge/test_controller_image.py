"""The controller's Dockerfile, read as a linter would: nothing was built here, as no Docker is needed for the tests."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from bridge.cli.app import app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra/controller"
MODULES = [ROOT / "infra" / cloud / "modules/controller/main.tf" for cloud in ("aws", "azure")]
MOUNT = "/srv/otabridge"
KNOWN = {"ARG", "FROM", "COPY", "RUN", "ENV", "WORKDIR", "USER", "HEALTHCHECK", "CMD"}


class Instruction(NamedTuple):
    """One instruction, continued lines joined."""

    word: str
    rest: str


@pytest.fixture(scope="module")
def instructions():
    """The file, without comments."""
    text = re.sub(r"(?m)^#.*\n", "", (FOLDER / "Dockerfile").read_text()).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def final(instructions):
    """The instructions of the last stage, which are the image."""
    last = max(at for at, each in enumerate(instructions) if each.word == "FROM")
    return instructions[last:]


def rest_of(instructions, word):
    """What follows the word, each time."""
    return [each.rest for each in instructions if each.word == word]


def otabridge_takes(arguments) -> bool:
    """Whether otabridge knows the command and its options; it is not run."""
    return CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


def test_only_what_is_known_is_done(instructions):
    """Nothing is fetched by ADD, and no shell is changed."""
    assert {each.word for each in instructions} <= KNOWN
    assert instructions[0] == ("ARG", "BASE")


def test_the_base_is_the_builders_choice_alone(instructions):
    """It has no default: a build without BASE fails, and the comment says to give a digest."""
    assert {each.split()[0] for each in rest_of(instructions, "FROM")} == {"${BASE}"}
    assert rest_of(instructions, "ARG")[0] == "BASE"
    assert "--build-arg BASE=python:3.12-slim-bookworm@sha256:" in (FOLDER / "Dockerfile").read_text()


def test_it_runs_as_a_number_that_is_not_root(final):
    """A number, so that Kubernetes and volumes can judge it; set after everything that needs root."""
    (user,) = rest_of(final, "USER")
    words = [each.word for each in final]

    assert re.fullmatch(r"(\d+):\1", user)
    assert int(user.partition(":")[0]) >= 10_000
    assert words.index("USER") > max(at for at, word in enumerate(words) if word in ("RUN", "COPY"))
    assert f"--uid {user.partition(':')[0]} " in " ".join(rest_of(final, "RUN"))


def test_no_secret_and_no_state_is_in_it(instructions):
    """They come at run time."""
    text = " ".join(each.rest for each in instructions)

    assert not re.search(r"(?i)password|token|secret|_key=|STORE_URL=", text)
    assert "curl" not in text
    assert "wget" not in text


def test_it_installs_what_is_pinned_from_the_repository(instructions):
    """With the constraints of the tests, and extras that there are."""
    installs = next(rest for rest in rest_of(instructions, "RUN") if "pip install" in rest)
    (extras,) = (
        rest.partition("=")[2].split(",") for rest in rest_of(instructions, "ARG") if rest.startswith("EXTRAS=")
    )
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert "--constraint /source/constraints.txt" in installs
    assert '"/source[${EXTRAS}]"' in installs
    assert "--no-cache-dir" in installs
    assert set(extras) == {"aws", "azure", "postgres"} & set(known)


def test_what_is_copied_is_there_and_let_through(instructions):
    """A file that .dockerignore keeps out would be missed by the build alone."""
    let_through = re.findall(r"(?m)^!(\S+)$", (FOLDER / "Dockerfile.dockerignore").read_text())
    copied = [source for rest in rest_of(instructions, "COPY") if "--from" not in rest for source in rest.split()[:-1]]

    assert sorted(copied) == sorted(let_through)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_it_makes_one_round_and_ends(final):
    """The command is one of otabridge's, and finds the configuration where the modules mount it."""
    (command,) = map(json.loads, rest_of(final, "CMD"))

    assert command[:3] == ["otabridge", "controller", "once"]
    assert otabridge_takes(command[1:])
    assert rest_of(final, "WORKDIR") == [MOUNT]
    assert f"OTABRIDGE_CONFIG={MOUNT}/otabridge.toml" in rest_of(final, "ENV")[0]


@pytest.mark.parametrize("module", MODULES, ids=["aws", "azure"])
def test_the_modules_mount_what_the_image_expects(module):
    """And run the same command."""
    if not module.exists():
        pytest.skip(f"{module.relative_to(ROOT)} is not here")
    text = module.read_text()

    assert f'"{MOUNT}"' in text
    assert re.search(r'"controller", "once"', text)
