"""Steps of the slot done by RAUC: it writes its bundle into the slot that does not run, and switches nothing.

`rauc install` only asks the RAUC service, which goes on when the client is gone. So RAUC is waited for before it is
asked, and before a step counts as undone: nobody may write to a slot of which others believe that it is at rest.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from agent.disk import Disk
from agent.handlers.bundle import bundle_of, configuration_fault, operation_of, sole_class, status_of
from agent.handlers.runner import Runner, program
from agent.handlers.settings import RaucBundleSettings
from agent.handlers.wanted import require_place, require_settings, who
from agent.handling import StepError, Work
from bridge.release.step import Place, Step

IDLE = "idle"
POLL_SECONDS = 1.0
SERVICE, OBJECT, INTERFACE, PROPERTY = "de.pengutronix.rauc", "/", "de.pengutronix.rauc.Installer", "Operation"
"""Of RAUC's D-Bus interface, in its reference manual."""


class RaucHandler:
    """agent.handling.Handler; `owns_boot_loader`: the agent reaches the boot loader by way of RAUC."""

    def __init__(
        self, name: str, settings: RaucBundleSettings, runner: Runner, disk: Disk, *, owns_boot_loader: bool
    ) -> None:
        self._name = name
        self._conf = settings.system_conf
        self._runner = runner
        self._disk = disk
        self._owns_boot_loader = owns_boot_loader

    def inspect(self) -> str:
        """Whether RAUC is there, and leaves the switching to the agent. Raises: StepError."""
        table = f"handlers.{self._name}"
        path = program(table, "rauc")
        self._require_configured(table)
        return f"rauc, {path}, {self._operation(table)}"

    def require_ready(self, step: Step) -> None:
        """See Handler."""
        require_place(step, Place.SLOT, "RAUC cannot bring back what a bundle wrote elsewhere: use a script there")
        require_settings(step, ())
        program(who(step), "rauc")
        self._require_configured(who(step))
        self._operation(who(step))

    def install(self, work: Work) -> None:
        """See Handler."""
        if work.device is None:
            raise StepError(f"{who(work.step)}: a RAUC bundle is for a slot, and no slot was given")
        self._await_idle(who(work.step))
        self._require_for(work.device, work)
        self._runner.run(who(work.step), ["rauc", "install", str(work.file)])
        self._runner.sync_device(who(work.step), self._disk, work.device)

    def undo(self, work: Work) -> None:
        """See Handler. The slot that runs was not touched; only, nobody may be writing to the other any more."""
        self._await_idle(who(work.step))

    def settle(self, work: Work) -> None:
        """See Handler. RAUC keeps nothing of what was before."""

    def _require_configured(self, name: str) -> None:
        try:
            text = self._conf.read_text(errors="replace")
        except OSError as error:
            raise StepError(
                f"{name}: {self._conf} cannot be read: {error.strerror}; name RAUC's configuration in "
                f"handlers.{self._name}.system_conf"
            ) from error
        fault = configuration_fault(text, owns_boot_loader=self._owns_boot_loader)
        if fault is not None:
            raise StepError(f"{name}: {self._conf} {fault}")

    def _require_for(self, device: Path, work: Work) -> None:
        """The bundle's one image goes into `device`, and nowhere else. Verifies the bundle's own signature, too."""
        name = who(work.step)
        info = self._runner.ask(name, ["rauc", "info", f"--conf={self._conf}", "--output-format=json", str(work.file)])
        status = self._runner.ask(name, ["rauc", "status", "--output-format=json"])
        try:
            kind = sole_class(bundle_of(info))
            targets = status_of(status).idle_slots(kind)
        except ValueError as error:
            raise StepError(f"{name}: {error}") from error
        if [Path(path).resolve() for path in targets.values()] != [device.resolve()]:
            listed = ", ".join(f"{slot} at {path}" for slot, path in targets.items()) or "nowhere"
            raise StepError(f"{name}: RAUC would write class {kind} to {listed}, and slot {work.target} is {device}")

    def _await_idle(self, name: str) -> None:
        clock, end = self._runner.timing.clock, self._runner.timing.clock() + self._runner.seconds
        while (operation := self._operation(name)) != IDLE:
            if clock() >= end:
                raise StepError(
                    f"{name}: RAUC is still {operation} after {self._runner.seconds:g} s; something uses it"
                )
            self._runner.timing.sleep(POLL_SECONDS)

    def _operation(self, name: str) -> str:
        try:
            return operation_of(self._runner.ask(name, _question()))
        except ValueError as error:
            raise StepError(f"{name}: the RAUC service cannot be understood: {error}") from error


def _question() -> list[str]:
    """systemd's tool, or that of the reference implementation of D-Bus."""
    if shutil.which("busctl"):
        return ["busctl", "--system", "get-property", SERVICE, OBJECT, INTERFACE, PROPERTY]
    get = "org.freedesktop.DBus.Properties.Get"
    asked = [f"string:{INTERFACE}", f"string:{PROPERTY}"]
    return ["dbus-send", "--system", "--print-reply", f"--dest={SERVICE}", OBJECT, get, *asked]
