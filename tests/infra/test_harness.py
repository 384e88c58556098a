"""The harness itself: it finds what is there, names what is not, leaves nothing behind, and tells how it ended."""

from __future__ import annotations

import os
import re
import sys
from types import SimpleNamespace

import pytest

from tests.infra import mirrors, processes
from tests.infra.absent import Absent, found_or_skip
from tests.infra.mirrors import Mirror, installed, platform
from tests.infra.processes import Failed
from tests.infra.steps import STEPS, Outcomes, verdict
from tests.infra.terraform import INFRA, cli_configuration, prepare

PYTHON = sys.executable


@pytest.fixture
def empty(monkeypatch, tmp_path):
    """A machine with no mirror but the person's own, which is empty."""
    monkeypatch.setattr(mirrors, "USUAL", (str(tmp_path / "usual"),))
    monkeypatch.setattr(mirrors, "_beside", lambda: ())
    monkeypatch.setenv(mirrors.FOLDERS, str(tmp_path))
    return tmp_path


def put(folder, version):
    """A provider in a mirror."""
    package = folder / mirrors.REGISTRY / "hashicorp/aws" / version / platform()
    package.mkdir(parents=True)
    (package / f"terraform-provider-aws_v{version}_x5").touch()


def test_the_newest_provider_is_taken(empty):
    """Versions are compared as numbers; a folder without a program is no provider."""
    for version in ("5.9.0", "5.100.0", "5.80.1"):
        put(empty, version)
    (empty / mirrors.REGISTRY / "hashicorp/aws/6.0.0" / platform()).mkdir(parents=True)

    assert installed("hashicorp/aws") == Mirror(empty, "hashicorp/aws", "5.100.0")


@pytest.mark.usefixtures("empty")
def test_a_provider_that_is_not_there_is_named():
    """The message says what is missing, and what to do."""
    with pytest.raises(Absent, match=f"hashicorp/aws is not on this machine.*{mirrors.FOLDERS}"):
        installed("hashicorp/aws")


def test_terraform_that_is_not_there_is_a_reason_to_skip(monkeypatch, tmp_path):
    """A newcomer's machine without Terraform fails nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(pytest.skip.Exception, match="terraform is not in PATH"):
        found_or_skip(lambda: prepare(tmp_path / "module"))


def test_providers_come_from_mirrors_alone(tmp_path):
    """Nothing but the named mirrors is a source, so that no run can reach a registry."""
    text = cli_configuration([Mirror(tmp_path, "hashicorp/aws", "5.100.0")])

    assert f'path    = "{tmp_path}"' in text
    assert f'include = ["{mirrors.REGISTRY}/hashicorp/aws"]' in text
    assert "direct" not in text


def test_the_persons_environment_stays_outside(monkeypatch, tmp_path):
    """Credentials of whoever runs the tests are not there to be used."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("ARM_CLIENT_SECRET", "mine")

    environment = found_or_skip(lambda: prepare(tmp_path / "module")).environment

    assert "mine" not in environment.values()
    assert environment["HOME"] != os.environ.get("HOME")


def test_a_copy_leaves_out_what_terraform_left(tmp_path):
    """State, plugins and somebody's values stay where they are."""
    source = tmp_path / "source"
    (source / ".terraform").mkdir(parents=True)
    for name in ("main.tf", "terraform.tfstate", ".terraform.lock.hcl", "terraform.tfvars"):
        (source / name).touch()
    module = found_or_skip(lambda: prepare(tmp_path / "module"))

    module.copy(source)

    assert sorted(path.name for path in module.folder.iterdir()) == ["main.tf"]


def test_a_program_that_ends_otherwise_is_told_with_its_words(tmp_path):
    """The command, its code and all that it printed."""
    with pytest.raises(Failed, match=r"(?s)ended with 3.*some words.*expected to end with 0"):
        processes.run([PYTHON, "-c", "print('some words'); raise SystemExit(3)"], tmp_path, {}, seconds=60)


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path):
    """Providers are children of Terraform, and one that lived on would hold its output open: this would not return."""
    child = f"import subprocess; subprocess.run([{PYTHON!r}, '-c', 'import time; time.sleep(600)'])"

    with pytest.raises(Failed, match="took more than 1 s and was killed"):
        processes.run([PYTHON, "-c", child], tmp_path, {}, seconds=1)


def test_output_that_is_no_json_is_shown(tmp_path):
    """A message in place of JSON is what a person needs to see."""
    run = processes.run([PYTHON, "-c", "print('no state')"], tmp_path, {}, seconds=60)

    with pytest.raises(Failed, match=r"(?s)no state.*printed no JSON"):
        run.json()


@pytest.mark.parametrize(
    ("outcomes", "good", "words"),
    [
        (Outcomes(passed=3), True, "ran, 3 passed"),
        (Outcomes(passed=1, skipped={"no aws": 2}), True, "ran, 1 passed, 2 skipped: no aws"),
        (Outcomes(skipped={"no terraform": 4}), True, "skipped: no terraform"),
        (Outcomes(passed=3, failures=["test_x"], code=1), False, "failed, 1 of 4"),
        (Outcomes(failures=["test_x"], skipped={"no aws": 1}, code=1), False, "failed, 1 of 1"),
        (Outcomes(code=5), False, "failed, no test ran (pytest ended with 5)"),
        (Outcomes(passed=3, code=3), False, "failed, no test ran (pytest ended with 3)"),
    ],
)
def test_a_step_says_what_became_of_it(outcomes, good, words):
    """A step is good when it ran or had a reason not to; one that lost its tests is not."""
    assert verdict(outcomes) == (good, words)


def test_a_skipped_test_tells_its_reason():
    """Reasons are collected, each once, however pytest wraps them."""
    outcomes = Outcomes()
    for longrepr in (("file.py", 3, "Skipped: no terraform"), ("file.py", 9, "Skipped: no terraform")):
        outcomes.pytest_runtest_logreport(SimpleNamespace(failed=False, skipped=True, when="setup", longrepr=longrepr))

    assert outcomes.skipped == {"no terraform": 2}


def test_every_step_names_tests_that_are_there():
    """The ladder has no rung in the air."""
    assert [path for step in STEPS for path in step.paths if not (INFRA.parent / path).exists()] == []


def test_the_ladder_is_climbed():
    """A step that can run everywhere says so on a line, and the last line counts what failed."""
    root, environment = INFRA.parent, {"PATH": os.environ["PATH"]}

    run = processes.run([PYTHON, "-m", "tests.infra", "--only", "docs"], root, environment, seconds=120)

    assert re.search(r"(?m)^docs +ran, \d+ passed \(\d+ s\): the tables", run.stdout)
    assert run.stdout.endswith("infra: 0 steps failed\n")
