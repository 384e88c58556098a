"""What RAUC says of itself and of a bundle, and how its service has to be configured. Pure."""

from __future__ import annotations

import configparser
import re

import msgspec

OPERATION = re.compile(r'"([a-z]+)"\s*\Z')
NO_BOOT_LOADER = "noop"


class BundleImage(msgspec.Struct, frozen=True):
    """One image of a bundle; `hooks` are programs of the bundle that run around its writing."""

    hooks: tuple[str, ...] = ()


class Bundle(msgspec.Struct, frozen=True):
    """What we take of `rauc info --output-format=json`: the images, each under the class of its slot."""

    images: tuple[dict[str, BundleImage], ...]


class RaucSlot(msgspec.Struct, frozen=True):
    """What we take of one slot in RAUC's status."""

    kind: str = msgspec.field(name="class")
    device: str
    state: str


class RaucStatus(msgspec.Struct, frozen=True):
    """What we take of `rauc status --output-format=json`: the slots, each under its name."""

    slots: tuple[dict[str, RaucSlot], ...]

    def idle_slots(self, kind: str) -> dict[str, str]:
        """The devices of the slots of class `kind` that do not run, by their names."""
        named = [item for slots in self.slots for item in slots.items()]
        return {name: slot.device for name, slot in named if slot.kind == kind and slot.state == "inactive"}


def bundle_of(output: str) -> Bundle:
    """What `rauc info` printed. Raises: ValueError."""
    return msgspec.json.decode(_document(output), type=Bundle)


def status_of(output: str) -> RaucStatus:
    """What `rauc status` printed. Raises: ValueError."""
    return msgspec.json.decode(_document(output), type=RaucStatus)


def operation_of(output: str) -> str:
    """What RAUC is doing, as busctl or dbus-send print the property. Raises: ValueError."""
    match = OPERATION.search(output)
    if match is None:
        raise ValueError("the property Operation is no text")
    return match[1]


def sole_class(bundle: Bundle) -> str:
    """The class of the only slot that `bundle` writes. Raises: ValueError saying what else it does."""
    images = [item for image in bundle.images for item in image.items()]
    if len(images) != 1:
        listed = ", ".join(name for name, _ in images) or "none"
        raise ValueError(f"the bundle has to have one image, that of the slot; it has: {listed}")
    name, image = images[0]
    if image.hooks:
        raise ValueError(
            f"the bundle's image has hooks ({', '.join(image.hooks)}): what they do is neither signed for nor undone; "
            "make it a step of its own"
        )
    return name


def configuration_fault(text: str, *, owns_boot_loader: bool) -> str | None:
    """What is wrong with a system.conf; None when RAUC leaves to the agent which slot boots.

    `owns_boot_loader`: the agent reaches the boot loader by way of RAUC.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=", comment_prefixes="#")
    try:
        parser.read_string(text)
        system = parser["system"]
    except (configparser.Error, KeyError) as error:
        return f"cannot be understood ({' '.join(str(error).split())})"
    if system.get("activate-installed", "true").strip() != "false":
        return "lets RAUC switch by itself; write activate-installed=false into [system]: the agent switches"
    boot_loader = system.get("bootloader", "").strip()
    if not owns_boot_loader and boot_loader != NO_BOOT_LOADER:
        return (
            f"has bootloader={boot_loader}, and the agent's boot loader is its own; write bootloader={NO_BOOT_LOADER}, "
            'or give it to RAUC with slots.boot_loader = "rauc"'
        )
    return None


def _document(output: str) -> bytes:
    """Warnings stand before and behind it."""
    return next((line for line in output.splitlines() if line.startswith("{")), "").encode()
