"""Text for people, as wide as their terminal: words go to the next line, nothing is cut. Piped text stays as it is.

A `command` stays in one line, so that it can be copied; what is longer than the terminal is left to the terminal.
"""

from __future__ import annotations

import re
import shutil
import textwrap

_LABEL = re.compile(r"\s*(?:- |\S+(?: \S+)? {2,})?")
"""What a line begins with: its indentation, and a dash or a label of one or two words with the gap after it."""
_COMMAND = re.compile(r"`[^`]+`[,;.]?")
_FURTHER_IN = 4
_NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between the words of a command while its line is wrapped."""


def terminal_width() -> int | None:
    """Columns of the terminal, or as the variable COLUMNS says; None where there is neither: lines have any length."""
    return shutil.get_terminal_size((0, 0)).columns or None


def fitted(text: str, width: int | None = None) -> str:
    """`text` with what is too long for `width` (None: the terminal) in further lines, below where the words began."""
    columns = width or terminal_width()
    if columns is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _wrapped(line, columns))


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    parts = textwrap.wrap(
        _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK), line),
        width,
        subsequent_indent=" " * _continuation(line, width),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_NO_BREAK, " ") for part in parts]


def _continuation(line: str, width: int) -> int:
    """Below the text after a label; a little further in than the line where there is none, or no room."""
    label = _LABEL.match(line)
    indent = len(line) - len(line.lstrip())
    found = label.end() if label else indent
    return found if indent < found <= width // 2 else min(indent + _FURTHER_IN, width // 2)
