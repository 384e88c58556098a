"""The steps file: what it says is what is built, and a mistake is named with its place and what would be right."""

from __future__ import annotations

import pytest

from bridge import steps_file
from bridge.errors import UsageError
from bridge.release.step import MAX_STEPS, Place, Step
from bridge.steps_file import MAX_FILE_BYTES, read_steps

OURS = '[[steps]]\nname = "rootfs"\nhandler = "image"\n'
SCRIPT = '[[steps]]\nname = "boot"\nhandler = "script"\nplace = "device"\nfile = "boot.sh"\n'
BUNDLE = '[[steps]]\nname = "bundle"\nhandler = "rauc"\nplace = "slot"\nfile = "a.raucb"\nimage = "a.ext4"\n'


@pytest.fixture
def file(tmp_path):
    """Where it lies."""
    (tmp_path / "release").mkdir()
    return tmp_path / "release/steps.toml"


def test_steps_are_read_in_their_order(file):
    """With all that they say; paths count from the file's folder."""
    file.write_text(f'{SCRIPT}restart = true\n[steps.settings]\nboard = "rev-b"\n{OURS}')

    boot, rootfs = read_steps(file)

    assert boot.step == Step("boot", "script", Place.DEVICE, {"board": "rev-b"}, restart=True)
    assert (boot.file, boot.image, boot.is_ours) == (file.parent / "boot.sh", None, False)
    assert rootfs.step == Step("rootfs", "image", Place.SLOT)
    assert (rootfs.file, rootfs.image, rootfs.is_ours) == (None, None, True)


def test_a_handler_of_the_slot_says_what_it_leaves_behind(file):
    """Devices read that back."""
    file.write_text(BUNDLE)

    (bundle,) = read_steps(file)

    assert bundle.step == Step("bundle", "rauc", Place.SLOT)
    assert (bundle.file, bundle.image) == (file.parent / "a.raucb", file.parent / "a.ext4")


def test_the_example_in_the_documentation_is_right(file):
    """It is that of the module."""
    _, _, example = steps_file.__doc__.partition("\n\n")
    file.write_text(example.partition("\nSteps are done")[0])

    assert [source.step.name for source in read_steps(file)] == ["boot", "rootfs", "application"]


WRONG = {
    "nothing": ("", "steps: is missing: write each as [[steps]]"),
    "no steps": ("steps = []", "steps: must not be empty"),
    "one pair of brackets": ('[steps]\nname = "a"', "steps: begin each step with [[steps]], in two pairs of brackets"),
    "a list of words": ('steps = ["boot"]', 'steps[0]: must be a mapping, not "boot"'),
    "no TOML": ("[[steps]", "not valid TOML"),
    "no text": ("[[steps]]\nname = 3", "steps[0].name: must be lower-case letters, digits and dashes, at most 32"),
    "no name": ('[[steps]]\nhandler = "image"', "steps[0].name: is missing: how reports and messages call this step"),
    "a name with spaces": (OURS.replace("rootfs", "root fs"), "steps[0].name: must be lower-case letters, digits and"),
    "no handler": ('[[steps]]\nname = "a"', "steps[0].handler: is missing: who does it: one that"),
    "a handler with a path": (SCRIPT.replace("script", "/bin/sh"), 'not "/bin/sh"'),
    "an unknown field": (f'{SCRIPT}fil = "x"', "steps[0].fil: no such field; did you mean file? known here are name, "),
    "a place that is none": (
        SCRIPT.replace('"device"', '"devise"'),
        'steps[0].place: must be slot or device, not "devise"; did you mean device?',
    ),
    "no place": (
        SCRIPT.replace('place = "device"\n', ""),
        'is missing: "slot" if the handler script writes the slot that does not run, or "device"',
    ),
    "no file": (
        SCRIPT.replace('file = "boot.sh"\n', ""),
        "steps[0].file: step boot: is missing: what the handler script is handed",
    ),
    "an empty path": (SCRIPT.replace("boot.sh", ""), "steps[0].file: must be text of 1 to 4,096 characters"),
    "a slot of which nobody says what it holds": (
        BUNDLE.replace('image = "a.ext4"\n', ""),
        "steps[0].image: step bundle: is missing: the raw image that the slot holds once the handler rauc is done; dev",
    ),
    "an image of the device": (
        f'{SCRIPT}image = "a.ext4"',
        'steps[0].image: step boot: goes with place = "slot" alone: nothing but a slot is read back',
    ),
    "a file for our own": (
        f'{SCRIPT}{OURS}file = "rootfs.img"',
        'steps[1].file: step rootfs: is "rootfs.img", but the handler image takes none: it writes the image of --image',
    ),
    "settings of our own": (
        f'{OURS}settings = {{fast = "yes"}}',
        "steps[0].settings: step rootfs: is a mapping, but the handler image takes none",
    ),
    "our own on the device": (
        f'{OURS}place = "device"',
        "step rootfs: the handler image writes the slot, not the device",
    ),
    "a restart that is none": (f'{SCRIPT}restart = "yes"', 'steps[0].restart: must be true or false, not "yes"'),
    "a restart in the trial boot": (
        f"{OURS}{SCRIPT}restart = true",
        "step boot: restart, which only a step before that of the slot can ask for",
    ),
    "a setting that is a number": (
        f"{SCRIPT}[steps.settings]\ntimeout = 30",
        "steps[0].settings.timeout: must be text in quotes, one line of at most 256 characters, not 30",
    ),
    "a setting of two lines": (
        f'{SCRIPT}[steps.settings]\nboard = "a\\nb"',
        "steps[0].settings.board: must be text in",
    ),
    "a setting by a wrong name": (
        f'{SCRIPT}[steps.settings]\nLD_PRELOAD = "x"',
        'steps[0].settings: step boot: "LD_PRELOAD" must be lower-case letters, digits and underscores',
    ),
    "a name twice": (SCRIPT + SCRIPT, "steps: two are named boot"),
    "two of the slot": (OURS + BUNDLE, "steps rootfs and bundle both write the slot: a release makes one image"),
    "too many": (SCRIPT * (MAX_STEPS + 1), f"steps: must have at most {MAX_STEPS} items, not {MAX_STEPS + 1}"),
    "endless text": ("#" * (MAX_FILE_BYTES + 1), f"larger than {MAX_FILE_BYTES} bytes"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named(file, text, says):
    """File, field and value, and no traceback."""
    file.write_text(text)

    with pytest.raises(UsageError) as refused:
        read_steps(file)

    assert str(refused.value).startswith(f"{file}: ")
    assert says in str(refused.value)


def test_mistakes_are_told_together(file):
    """A person mends them in one go."""
    file.write_text('[[steps]]\nname = "a"\nhandler = "script"\n' + BUNDLE.replace('image = "a.ext4"\n', ""))

    with pytest.raises(UsageError) as refused:
        read_steps(file)

    fields = [line.removeprefix(f"{file}: ").partition(":")[0] for line in str(refused.value).splitlines()]
    assert fields == ["steps[0].file", "steps[0].place", "steps[1].image"]


def test_a_file_that_is_not_there_is_named(file):
    """As any other."""
    with pytest.raises(UsageError, match=r"steps .*steps.toml cannot be read: No such file"):
        read_steps(file)


def test_bytes_that_are_no_text_are_refused(file):
    """TOML is UTF-8."""
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="not valid TOML"):
        read_steps(file)
