"""Where passphrases and PINs come from: a file, the environment, or a person at a terminal. Never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.errors import UsageError
from bridge.keys import read_small
from bridge.signing import Secrets

VARIABLE = "OTABRIDGE_PASSPHRASE"
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="OTABRIDGE_PASSPHRASE_FILE",
        help=f"File with the passphrase or PIN; else {VARIABLE}, else you are asked.",
    ),
]


def secrets(file: Path | None) -> Secrets:
    """What answers when a key needs its passphrase. Raises (when asked): UsageError where nobody can answer."""
    return lambda what: _given(file) or _ask(what, confirm=False)


def new_passphrase(file: Path | None, name: str) -> str:
    """The passphrase for a new key, asked for twice on a terminal. Raises: UsageError."""
    return _given(file) or _ask(f"passphrase for the new key {name}", confirm=True)


def _given(file: Path | None) -> str | None:
    if file is not None:
        return read_small(file, "passphrase file").decode(errors="surrogateescape").rstrip("\r\n")
    return os.environ.get(VARIABLE)


def _ask(what: str, *, confirm: bool) -> str:
    if not sys.stdin.isatty():
        raise UsageError(f"{what}: nobody to ask, stdin is no terminal; set {VARIABLE} or give --passphrase-file")
    answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
