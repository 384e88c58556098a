"""Steps done by a program: one of the device's owner, or one that the release brings along.

The program is told what to do by its last argument, one of VERBS, and about what by its environment. Each verb may be
cut off at any moment and is then called again, `undo` also where `install` had not begun. Status 0 means done.
"""

from __future__ import annotations

from agent.handlers.runner import Runner, program
from agent.handlers.settings import OWN_FILE, ScriptSettings
from agent.handlers.wanted import who
from agent.handling import StepError, Work
from bridge.release.step import Step

READY, INSTALL, UNDO, SETTLE = VERBS = ("ready", "install", "undo", "settle")
DECLARED = ("undo", "yes")
"""The setting by which a release says that the program that it brings can undo what it installs."""


class ScriptHandler:
    """agent.handling.Handler; `name` is that of its table."""

    def __init__(self, name: str, settings: ScriptSettings, runner: Runner) -> None:
        self._name = name
        self._settings = settings
        self._runner = runner

    def inspect(self) -> str:
        """Which program it is. Raises: StepError."""
        return f"script, {program(f'handlers.{self._name}', self._settings.command[0])}"

    def require_ready(self, step: Step) -> None:
        """See Handler. A program of the device is asked; for one of the release, which is not here yet, the release has
        to declare it."""
        program(who(step), self._settings.command[0])
        if not self._settings.comes_with_the_release:
            self._runner.run(who(step), (*self._settings.command, READY), _about(step, READY))
        elif step.settings.get(DECLARED[0]) != DECLARED[1]:
            raise StepError(
                f"{who(step)}: the release does not declare that its program undoes what it installs; "
                f'once it does, write {DECLARED[0]} = "{DECLARED[1]}" into the step\'s settings'
            )

    def install(self, work: Work) -> None:
        """See Handler."""
        self._do(work, INSTALL)
        self._runner.sync_all(who(work.step))

    def undo(self, work: Work) -> None:
        """See Handler."""
        self._do(work, UNDO)
        self._runner.sync_all(who(work.step))

    def settle(self, work: Work) -> None:
        """See Handler."""
        self._do(work, SETTLE)

    def _do(self, work: Work, verb: str) -> None:
        words = [str(work.file) if word == OWN_FILE else word for word in self._settings.command]
        self._runner.run(who(work.step), (*words, verb), {**_about(work.step, verb), **_on_device(work)})


def _about(step: Step, verb: str) -> dict[str, str]:
    settings = {f"OTABRIDGE_SETTING_{name.upper()}": value for name, value in step.settings.items()}
    return {
        "OTABRIDGE_VERB": verb,
        "OTABRIDGE_STEP_NAME": step.name,
        "OTABRIDGE_PLACE": step.place.value,
        "OTABRIDGE_RESTART": "1" if step.restart else "0",
        **settings,
    }


def _on_device(work: Work) -> dict[str, str]:
    return {
        "OTABRIDGE_FILE": str(work.file),
        "OTABRIDGE_FOLDER": str(work.folder),
        "OTABRIDGE_RELEASE_VERSION": work.version,
        "OTABRIDGE_RELEASE_SEQUENCE": str(work.sequence),
        "OTABRIDGE_TARGET_SLOT": work.target.value if work.target else "",
        "OTABRIDGE_TARGET_DEVICE": str(work.device) if work.device else "",
    }
