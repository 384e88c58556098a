"""Programs of the device's owner that are asked, or told, at each step of an update.

They lie in a folder for each step, as run-parts(8) has it: `DIRECTORY/install.d/10-stop-the-machine`, and run in the
order of their names. Exit status 0 lets the update go on, 21 asks for another time (as Mender's state scripts do),
anything else refuses: a hook that is broken must be seen, and an update that waited for it would never be.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from agent.command import Ended, run
from agent.pace import Timing
from agent.permit.permission import ALLOWED, Allowed, Answer, Facts, Later, Moment, Refused
from bridge.release.errors import FailureCode, OtabridgeError
from bridge.release.report import Outcome, Phase

GO_ON = 0
RETRY_LATER = 21
MAX_HOOKS = 64
"""At one step."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,48}(\.(sh|py))?")
FOREIGN = stat.S_IWOTH
HOOKS_DIRECTORY = Path("/etc/otabridge/hooks.d")

logger = logging.getLogger(__name__)


class HookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the hooks are, and how long they may take. `commit_seconds`: how long a hook may put off the commit of a
    trial boot before that counts as a refusal."""

    directory: Path = HOOKS_DIRECTORY
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    retry_seconds: Annotated[float, msgspec.Meta(ge=1, le=900)] = 300.0
    commit_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 600.0

    def before_commit(self) -> float:
        """How long the hooks may hold a trial boot up once it is healthy, in seconds; none where there are none."""
        return self.commit_seconds + self.timeout_seconds if (self.directory / "commit.d").is_dir() else 0.0


class HookFault(OtabridgeError):
    """A hook or its folder is not to be used; the text says why."""

    code = FailureCode.VETOED


class Hooks:
    """The hooks of one folder."""

    def __init__(self, settings: HookSettings, timing: Timing) -> None:
        self._settings = settings
        self._timing = timing

    def ask(self, moment: Moment, facts: Facts) -> Answer:
        """See Permission. Before the commit a hook that wants more time gets it here, as a trial boot cannot be left
        and come back to."""
        end = self._timing.clock() + (self._settings.commit_seconds if moment is Moment.COMMIT else 0.0)
        while True:
            answer = self._ask(moment, facts)
            left = end - self._timing.clock()
            if not isinstance(answer, Later) or left <= 0:
                return answer
            self._timing.sleep(min(left, answer.seconds))

    def tell(self, step: str, said: Mapping[str, str]) -> None:
        """Run the hooks of `step` with `said` in their environment; what they answer changes nothing."""
        try:
            for path in self.found(step):
                fault = _fault(self._run(path, step, said), self._settings.timeout_seconds)
                if fault is not None:
                    logger.warning("hook %s/%s %s", path.parent.name, path.name, fault)
        except HookFault as fault:
            logger.warning("%s", fault)

    def found(self, step: str) -> list[Path]:
        """The hooks of `step` in their order. Raises: HookFault."""
        folder = self._settings.directory / f"{step}.d"
        try:
            names = sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise HookFault(f"hooks in {folder} cannot be read: {error.strerror}") from error
        if len(names) > MAX_HOOKS:
            raise HookFault(f"{folder} has {len(names)} hooks, the limit is {MAX_HOOKS}")
        require_own(folder)
        return [folder / name for name in names if os.access(folder / name, os.X_OK) and (folder / name).is_file()]

    def survey(self) -> str:
        """What there is, for people. Raises: HookFault, also where a folder belongs to no step."""
        steps = [*map(str, Moment), *map(str, Phase), *map(str, Outcome)]
        for folder in sorted(self._settings.directory.glob("*.d")):
            if folder.name.removesuffix(".d") not in steps:
                raise HookFault(f"{folder} is of no step; there are: {', '.join(steps)}")
        found = {step: len(self.found(step)) for step in steps}
        return ", ".join(f"{count} at {step}" for step, count in found.items() if count) or "none"

    def _ask(self, moment: Moment, facts: Facts) -> Answer:
        try:
            for path in self.found(moment):
                answer = self._answer(path, self._run(path, moment, environment(facts)))
                if not isinstance(answer, Allowed):
                    return answer
        except HookFault as fault:
            return Refused("hooks", str(fault))
        return ALLOWED

    def _answer(self, path: Path, ended: Ended) -> Answer:
        by = f"hook {path.name}"
        if ended.status == RETRY_LATER:
            return Later(by, ended.tail or "asks for another time", self._settings.retry_seconds)
        fault = _fault(ended, self._settings.timeout_seconds)
        return ALLOWED if fault is None else Refused(by, fault)

    def _run(self, path: Path, step: str, said: Mapping[str, str]) -> Ended:
        require_own(path)
        try:
            timeout = self._settings.timeout_seconds
            return run([str(path)], timeout, self._timing, {"OTABRIDGE_STEP": step, **said})
        except OSError as error:
            raise HookFault(f"hook {path} cannot be started: {error.strerror}") from error


def environment(facts: Facts) -> dict[str, str]:
    """What a hook that is asked finds in its environment."""
    return {
        "OTABRIDGE_OFFER": printable(facts.offer),
        "OTABRIDGE_RELEASE": facts.release,
        "OTABRIDGE_RELEASE_VERSION": facts.version,
        "OTABRIDGE_RELEASE_SEQUENCE": str(facts.sequence),
        "OTABRIDGE_RELEASE_DIGEST": facts.digest,
        "OTABRIDGE_IMAGE_BYTES": str(facts.image_bytes),
        "OTABRIDGE_SLOT": facts.running,
        "OTABRIDGE_TARGET_SLOT": facts.target,
    }


def printable(text: str, most: int = 256) -> str:
    """`text` of a cloud as an environment can hold it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])


def require_own(path: Path) -> None:
    """Raises: HookFault where anybody may write to `path`: it would run with the agent's rights."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise HookFault(f"{path} cannot be looked at: {error.strerror}") from error
    if mode & FOREIGN:
        raise HookFault(f"{path} may be written by everybody; chmod o-w {path}")


def _fault(ended: Ended, patience: float) -> str | None:
    if ended.status == GO_ON:
        return None
    said = f": {ended.tail}" if ended.tail else ""
    if ended.status is None:
        return f"took longer than {patience:g} s{said}"
    how = f"was ended by signal {-ended.status}" if ended.status < 0 else f"ended with status {ended.status}"
    return f"{how}{said}"
