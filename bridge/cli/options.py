"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("--config", envvar="OTABRIDGE_CONFIG", help="Configuration file.")]
RolloutFile = Annotated[Path, typer.Argument(help="The rollout file, such as rollout.yaml.")]
RolloutName = Annotated[str, typer.Argument(help="The rollout's name.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger and told to the clouds.")]
PublicOption = Annotated[Path | None, typer.Option("--public", help="Public key file, where it is not beside the key.")]
