"""The reference of the steps file: made from its model, with what the model cannot tell."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import inspect

from bridge import steps_file
from bridge.errors import UsageError
from bridge.release.step import MAX_STEPS
from bridge.steps_file import StepEntry, read_steps
from docs.rollout_page import table

HEAD = """\
# The steps file

`otabridge release build --steps FILE` makes [a release of several steps](../how-to/release-several-steps.md). The file
is TOML and names the steps, of which each changes one thing on a device:
"""
TAIL = """\
Paths count from the file's folder.

## What is refused

A wrong file is refused before anything is made, with exit code 2 and a line for each mistake (the first ten), in which
steps count from 0:

```
{refusals}
```

- Fields that are unknown or missing; values of another sort or beyond their limits; more than {steps} steps.
- A name twice. Two steps of the slot: a release makes one image.
- `file`, `image` or `settings` of a step of the handler `image`; `--image` without such a step, such a step without it.
- Another handler without `file` or without `place`; one of the slot without `image`, one of the device with it.
- `restart` of the step of the slot, or of one after it: the switch is the restart, and nothing restarts the trial boot.
"""
WRONG = """\
[[steps]]
name = "boot loader"
handler = "script"
place = "devise"

[[steps]]
name = "application"
handler = "package"
place = "device"
file = "application.deb"
setings = {package = "application"}
"""
CONTRADICTORY = """\
[[steps]]
name = "rootfs"
handler = "image"
file = "rootfs.img"

[[steps]]
name = "bundle"
handler = "rauc"
place = "slot"
file = "rootfs.raucb"
"""


def steps_page() -> str:
    """The reference page."""
    entry = inspect.type_info(StepEntry)
    if not isinstance(entry, inspect.StructType):
        raise TypeError(f"a step is no structure: {entry}")
    refusals = "\n\n".join(refusal(text) for text in (WRONG, CONTRADICTORY))
    tail = TAIL.replace("{refusals}", refusals).replace("{steps}", str(MAX_STEPS))
    return "\n".join([HEAD, f"```toml\n{example()}```\n", *table("[[steps]]", entry), tail.rstrip(), ""])


def example() -> str:
    """The steps in the module's docstring, which a test reads."""
    lines = (steps_file.__doc__ or "").splitlines()
    first, last = lines.index("    [[steps]]"), max(number for number, line in enumerate(lines) if line[:4] == "    ")
    return "".join(f"{line[4:]}\n" for line in lines[first : last + 1])


def refusal(text: str) -> str:
    """What otabridge says to the file `text`."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "steps.toml")
        file.write_text(text)
        try:
            read_steps(file)
        except UsageError as error:
            return str(error).replace(f"{folder}/", "")
    raise AssertionError("the reference shows a refusal of a file that is right")
