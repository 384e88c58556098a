"""`otabridge ledger`: proves that nobody rewrote what happened, with the store and without it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.layout import fitted
from bridge.cli.options import ConfigOption, PublicOption
from bridge.cli.passphrase import PassphraseOption, secrets
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import BrokenLedger, UsageError
from bridge.ledger_file import Closing, Sealer, Verified, verify_export, write_export
from bridge.signing import find_key
from bridge.store.store import Store
from bridge.wiring import open_store

app = typer.Typer(help="The ledger: every act and decision with its evidence, in one chain.", no_args_is_help=True)


STORE = "the store"
_DIGEST = re.compile("[0-9a-f]{64}")


class VerifiedView(msgspec.Struct, frozen=True):
    """`ledger verify` and `export`. `signer` names the key under the export, None where none was compared or used;
    `since` counts the entries that the earlier export had not, None without one.
    """

    ledger: str
    entries: int
    head: str
    signer: str | None
    since: int | None
    schema: int = 1


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; else the ledger of the store.")] = None,
    *,
    head: Annotated[str | None, typer.Option(help="A digest noted before, which must be in it.")] = None,
    earlier: Annotated[Path | None, typer.Option(help="An export made before, with which it must begin.")] = None,
    key: Annotated[str | None, typer.Option(help="Key that must have signed the export: NAME.pub.json.")] = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Prove that no entry was edited, moved or cut off. With FILE neither the store nor its configuration is needed."""
    if head is not None and not _DIGEST.fullmatch(head):
        raise UsageError(f"--head {head[:80]}: write all 64 digits of the digest, as `ledger verify` prints it")
    if file is not None:
        owner = find_key(key).public if key else None
        _show(str(file), verify_export(file, head, earlier, owner), output)
        return
    if key is not None:
        raise UsageError("--key: the ledger of a store is not signed, its exports may be: name the FILE")
    store = open_store(read_config(config))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        _write(store, path, None)
        _show(STORE, _verified(path, head, earlier), output)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; an earlier export there must be its beginning.")],
    *,
    key: Annotated[str | None, typer.Option(help="Sign it: NAME.pem, or the URI of a KMS or HSM key.")] = None,
    public: PublicOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the whole ledger, verified, into a file that is kept elsewhere and verified without the store."""
    sealer = Sealer(find_key(key, public), secrets(passphrase_file)) if key else None
    store = open_store(read_config(config))
    partial = file.with_name(file.name + ".partial")
    try:
        last = _write(store, partial, sealer)
        since = verify_export(partial, earlier=file).since if file.exists() else None
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    signer = sealer.key.public.name if sealer else None
    _show(str(file), Verified(last.count, last.head, signer, since), output)


def _write(store: Store, path: Path, sealer: Sealer | None) -> Closing:
    """Write the ledger of the store to `path`, held against what the store says was ever appended.

    Raises:
        BrokenLedger: an entry does not hold, or the newest are gone.
        UsageError: the file cannot be written, or the key not be used.
    """
    _, head = store.ledger_head()
    try:
        with path.open("wb") as out:
            last = write_export(store.links(), out, sealer)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise UsageError(f"ledger export {path} cannot be written: {error.strerror}") from error
    verify_export(path, head)
    return last


def _verified(path: Path, head: str | None, earlier: Path | None) -> Verified:
    """Of a copy of the store's ledger, at `path`, which nobody who reads a refusal would find."""
    try:
        return verify_export(path, head, earlier)
    except BrokenLedger as error:
        raise BrokenLedger(str(error).replace(str(path), STORE), error.number) from error


def _show(what: str, verified: Verified, output: Output) -> None:
    view = VerifiedView(what, verified.entries, verified.head, verified.signer, verified.since)
    lines = [
        f"ledger   {what}: {verified.entries} entries hold",
        f"head     {verified.head}",
        *([f"signed   by {verified.signer}"] if verified.signer else []),
        *([f"since    {verified.since} entries since the earlier export"] if verified.since is not None else []),
    ]
    show(view, fitted("\n".join(lines)), output)
