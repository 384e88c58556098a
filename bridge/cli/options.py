"""Options that several nouns share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("--config", envvar="OTABRIDGE_CONFIG", help="Configuration file.")]
