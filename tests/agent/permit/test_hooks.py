"""Hooks: programs in folders, whose exit status lets an update go on, wait, or end."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.pace import Timing
from agent.permit.hooks import MAX_HOOKS, HookFault, Hooks, HookSettings
from agent.permit.permission import ALLOWED, Facts, Later, Moment, Refused

FACTS = Facts("job\0-1", "ab12", "gateway", "2.0.0", 7, "a", "b", 4096)


def hook(folder: Path, name: str, text: str, step: str = "install", mode: int = 0o755) -> Path:
    """A hook of a step, as a shell script."""
    path = folder / f"{step}.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def hooks(folder: Path, **settings: float) -> Hooks:
    """The hooks in `folder`, with naps that take no time."""
    return Hooks(HookSettings(folder, **settings), Timing(sleep=lambda _: None))


def test_without_any_an_update_goes_on(tmp_path: Path):
    """The folder need not even be there."""
    assert hooks(tmp_path / "none").ask(Moment.DOWNLOAD, FACTS) == ALLOWED


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("exit 0", ALLOWED),
        ("echo noise; exit 0", ALLOWED),
        ("echo a patient is connected; exit 21", Later("hook 10-first", "a patient is connected", 300)),
        ("exit 21", Later("hook 10-first", "asks for another time", 300)),
        ("echo the valve is open >&2; exit 1", Refused("hook 10-first", "ended with status 1: the valve is open")),
        ("exit 75", Refused("hook 10-first", "ended with status 75")),
        ("kill -9 $$", Refused("hook 10-first", "was ended by signal 9")),
    ],
)
def test_what_a_status_means(tmp_path: Path, script, answer):
    """0 goes on, 21 later, anything else refuses; the last words say why."""
    hook(tmp_path, "10-first", script)

    assert hooks(tmp_path).ask(Moment.INSTALL, FACTS) == answer


def test_a_hook_that_hangs_refuses(tmp_path: Path):
    """Its time is bounded."""
    hook(tmp_path, "10-first", "exec sleep 600")

    assert hooks(tmp_path, timeout_seconds=0.2).ask(Moment.INSTALL, FACTS) == Refused(
        "hook 10-first", "took longer than 0.2 s"
    )


def test_order_and_facts(tmp_path: Path):
    """They run by name up to the first that is in the way; each is told what it is about, in one printable line."""
    said = tmp_path / "said"
    hook(tmp_path, "20-second.sh", f'echo "$OTABRIDGE_STEP $OTABRIDGE_RELEASE_VERSION $OTABRIDGE_SLOT" >> {said}')
    hook(tmp_path, "10-first", f'echo "$OTABRIDGE_OFFER $OTABRIDGE_TARGET_SLOT $OTABRIDGE_IMAGE_BYTES" >> {said}')
    hook(tmp_path, "30-third", "exit 21")
    hook(tmp_path, "40-never", f"echo never >> {said}")
    hook(tmp_path, "50-other", f"echo never >> {said}", step="download")

    assert isinstance(hooks(tmp_path).ask(Moment.INSTALL, FACTS), Later)
    assert said.read_text() == "job?-1 b 4096\ninstall 2.0.0 a\n"


def test_what_is_no_hook_is_left_alone(tmp_path: Path):
    """A note, a package manager's leftovers, an editor's copy, a folder: as run-parts does."""
    for name, mode in (("README", 0o644), ("10-a.dpkg-old", 0o755), ("10-a~", 0o755)):
        hook(tmp_path, name, "exit 1", mode=mode)
    (tmp_path / "install.d" / "folder").mkdir()

    assert hooks(tmp_path).ask(Moment.INSTALL, FACTS) == ALLOWED


def test_a_hook_that_everybody_may_write_is_not_run(tmp_path: Path):
    """It would run with the rights of the agent, which owns the slots."""
    path = hook(tmp_path, "10-first", "exit 0", mode=0o757)

    assert hooks(tmp_path).ask(Moment.INSTALL, FACTS) == Refused(
        "hooks", f"{path} may be written by everybody; chmod o-w {path}"
    )


def test_a_hook_that_cannot_be_started_refuses(tmp_path: Path):
    """And is not passed over, as nobody would notice."""
    path = hook(tmp_path, "10-first", "exit 0")
    path.write_text("#!/no/such/program\n")

    assert hooks(tmp_path).ask(Moment.INSTALL, FACTS) == Refused(
        "hooks", f"hook {path} cannot be started: No such file or directory"
    )


def test_too_many_hooks(tmp_path: Path):
    """The time for one step is bounded."""
    for number in range(MAX_HOOKS + 1):
        hook(tmp_path, f"{number:02}", "exit 0")

    assert hooks(tmp_path).ask(Moment.INSTALL, FACTS) == Refused(
        "hooks", f"{tmp_path}/install.d has 65 hooks, the limit is 64"
    )


def test_a_commit_is_waited_for_a_while(tmp_path: Path):
    """A trial boot cannot be left and come back to: the hook is asked again, until it says yes or the time is over."""
    naps: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    hook(
        tmp_path, "10-first", f"echo . >> {tmp_path}/asked; [ $(wc -l < {tmp_path}/asked) -ge 3 ] || exit 21", "commit"
    )
    timing = Timing(clock=lambda: now[0], sleep=sleep)

    patient = Hooks(HookSettings(tmp_path, retry_seconds=300, commit_seconds=700), timing)
    assert patient.ask(Moment.COMMIT, FACTS) == ALLOWED
    assert naps == [300, 300]
    (tmp_path / "asked").unlink()
    assert isinstance(Hooks(HookSettings(tmp_path, commit_seconds=0), timing).ask(Moment.COMMIT, FACTS), Later)


def test_a_watchdog_that_guards_the_trial_knows_of_the_hooks(tmp_path: Path):
    """It bears with them as long as the agent does; without any there is nothing to bear with."""
    settings = HookSettings(tmp_path, timeout_seconds=10, commit_seconds=100)
    assert settings.before_commit() == 0

    hook(tmp_path, "10-first", "exit 0", "commit")
    assert settings.before_commit() == 110


def test_those_that_are_told_change_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Each runs; one that fails is logged."""
    hook(tmp_path, "10-first", "exit 1", "installed")
    hook(tmp_path, "20-second", f'echo "$OTABRIDGE_STEP $OTABRIDGE_DETAIL" > {tmp_path}/said', "installed")

    hooks(tmp_path).tell("installed", {"OTABRIDGE_DETAIL": "all is well"})

    assert (tmp_path / "said").read_text() == "installed all is well\n"
    assert "hook installed.d/10-first ended with status 1" in caplog.text


def test_the_survey_finds_a_folder_that_nothing_asks(tmp_path: Path):
    """A misspelt step would never be in the way of anything."""
    hook(tmp_path, "10-first", "exit 0")
    hook(tmp_path, "20-second", "exit 0")
    hook(tmp_path, "10-first", "exit 0", "fell-back")
    assert hooks(tmp_path).survey() == "2 at install, 1 at fell-back"
    assert hooks(tmp_path / "none").survey() == "none"

    hook(tmp_path, "10-first", "exit 0", "instal")
    with pytest.raises(HookFault, match=r"instal\.d is of no step; there are: download, install, commit, accepted"):
        hooks(tmp_path).survey()
