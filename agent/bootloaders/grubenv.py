r"""GRUB's environment block: 1024 bytes of text, which `load_env` and `save_env` of GRUB know. Pure.

A first line that names it, comments, `name=value` lines in which a backslash stands before each newline and backslash
of a value, and "#" up to the end (GRUB, grub-core/lib/envblk.c; its own tool is grub-editenv).
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_BYTES = 1024
SIGNATURE = "# GRUB Environment Block\n"
PADDING = "#"
ENCODING = "latin-1"
"""Each byte a character: GRUB knows no other."""


@dataclass(frozen=True, slots=True)
class Block:
    """The comments behind the first line, each with its newline, and the variables in their order."""

    comments: tuple[str, ...]
    variables: dict[str, str]

    def with_variables(self, changes: dict[str, str]) -> Block:
        """The block in which `changes` are set, before all others: so they lie in its first sector, which a power cut
        leaves whole while GRUB writes the block. "" deletes a variable."""
        others = {name: value for name, value in self.variables.items() if name not in changes}
        return Block(self.comments, {name: value for name, value in {**changes, **others}.items() if value})


def parse(data: bytes) -> Block:
    """The block in `data`. Raises: ValueError when it is none; GRUB would not read it either."""
    if len(data) != BLOCK_BYTES:
        raise ValueError(f"it has {len(data)} bytes, and not {BLOCK_BYTES}")
    text = data.decode(ENCODING)
    if not text.startswith(SIGNATURE):
        raise ValueError("it does not begin as a GRUB environment block")
    comments: list[str] = []
    variables: dict[str, str] = {}
    for line in _lines(text[len(SIGNATURE) :].rstrip(PADDING)):
        if line.startswith(PADDING):
            comments.append(f"{line}\n")
        else:
            _add(variables, line)
    return Block(tuple(comments), variables)


def render(block: Block) -> bytes:
    """Raises: ValueError when the variables do not fit, or one cannot be written."""
    lines = [_line(name, value) for name, value in block.variables.items()]
    text = SIGNATURE + "".join(block.comments) + "".join(lines)
    data = text.encode(ENCODING)
    if len(data) > BLOCK_BYTES:
        raise ValueError(f"the variables take {len(data)} bytes, and there is room for {BLOCK_BYTES}")
    return data.ljust(BLOCK_BYTES, PADDING.encode())


def _lines(text: str) -> list[str]:
    """The lines without their newlines, in which escaped ones do not count."""
    lines, line, escaped = [], "", False
    for letter in text:
        if letter == "\n" and not escaped:
            lines.append(line)
            line = ""
            continue
        line += letter
        escaped = letter == "\\" and not escaped
    if line:
        raise ValueError(f"it ends within a line: {line[:40]!r}")
    return lines


def _add(variables: dict[str, str], line: str) -> None:
    name, sign, escaped = line.partition("=")
    if not name or not sign or "\\" in name:
        raise ValueError(f"it has a line that sets no variable: {line[:40]!r}")
    if name in variables:
        raise ValueError(f"it sets {name} twice")
    variables[name] = _unescaped(escaped)


def _unescaped(text: str) -> str:
    letters, pending = [], False
    for letter in text:
        pending = letter == "\\" and not pending
        if not pending:
            letters.append(letter)
    return "".join(letters)


def _line(name: str, value: str) -> str:
    if not name or name.startswith(PADDING) or set(name) & set("=\\\n"):
        raise ValueError(f"{name!r} cannot be the name of a variable")
    escaped = value.replace("\\", "\\\\").replace("\n", "\\\n")
    return f"{name}={escaped}\n"
