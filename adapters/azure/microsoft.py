"""Steps for the handlers of Microsoft's own Device Update agent. Pure.

Source: the pages of the handlers in the Device Update documentation, and the handlers' own source
(`src/extensions/step_handlers` in `Azure/iot-hub-device-update`). `installedCriteria` is free text that a handler
compares with the device's state: that, after a restart too, decides whether the step counts as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from adapters.azure.formats.import_manifest import Step
from bridge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Handler:
    """What a handler wants beside files: a `script` among them, one `image` that ends in .swu, or exactly one file
    (`lone`), and criteria without which it never takes a step for done (`judged`)."""

    script: bool = False
    image: bool = False
    lone: bool = False
    judged: bool = False


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "microsoft/swupdate:2": Handler(script=True, image=True, judged=True),
        "microsoft/script:1": Handler(script=True),
        "microsoft/apt:1": Handler(lone=True, judged=True),
    }
)
IMAGE = ".swu"


@dataclass(frozen=True, slots=True)
class Work:
    """What a person wants done: `handler` with these `files`, by name; the rest "" where it was left out."""

    handler: str
    files: tuple[str, ...]
    script: str = ""
    installed_criteria: str = ""
    arguments: str = ""


def step_of(work: Work) -> Step:
    """The step that does it. Raises: UsageError, in words of the command line."""
    handler = HANDLERS.get(work.handler)
    if handler is None:
        raise UsageError(f"--handler is {work.handler!r}; for Microsoft's agent there is {', '.join(HANDLERS)}")
    if not work.files:
        raise UsageError(f"--file is missing: {work.handler} installs files")
    if handler.lone and len(work.files) > 1:
        raise UsageError(f"--file is given {len(work.files)} times: {work.handler} takes one file, the APT manifest")
    if handler.judged and not work.installed_criteria:
        raise UsageError(f"--installed-criteria is missing: by it {work.handler} sees that the update is installed")
    return Step(work.handler, work.files, {**_script(work, handler), **_image(work, handler), **_criteria(work)})


def _script(work: Work, handler: Handler) -> dict[str, str]:
    if not handler.script:
        unused = next((name for name in ("script", "arguments") if getattr(work, name)), None)
        if unused:
            raise UsageError(f"--{unused} is given: {work.handler} runs no script")
        return {}
    if work.script not in work.files:
        there = ", ".join(work.files)
        raise UsageError(f"--script is {work.script!r}: {work.handler} runs one of the files, which are {there}")
    return {"scriptFileName": work.script, **({"arguments": work.arguments} if work.arguments else {})}


def _image(work: Work, handler: Handler) -> dict[str, str]:
    if not handler.image:
        return {}
    images = [name for name in work.files if name.endswith(IMAGE)]
    if len(images) != 1:
        raise UsageError(f"--file: {work.handler} takes one file whose name ends in {IMAGE}, there are {len(images)}")
    return {"swuFileName": images[0]}


def _criteria(work: Work) -> dict[str, str]:
    return {"installedCriteria": work.installed_criteria} if work.installed_criteria else {}
