"""`otabridge root`: make, rotate, sign and look at the chain of roots."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from tuf.api.metadata import Metadata, Root

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.passphrase import PassphraseOption, secrets
from bridge.cli.root_view import DraftView, RootView, describe_draft, describe_root, view_draft, view_root
from bridge.errors import UsageError
from bridge.expiry import parse_expiry
from bridge.keys import read_public
from bridge.roots import (
    DRAFT,
    RoleChange,
    RootChange,
    cosign,
    has_roots,
    new_root,
    next_root,
    read_draft,
    read_trust,
    save,
)
from bridge.signing import find_key

app = typer.Typer(help="Who may change trust, and who may approve releases.", no_args_is_help=True)

TrustOption = Annotated[
    Path, typer.Option("--trust", envvar="OTABRIDGE_TRUST", help="Folder with 1.root.json, 2.root.json ...")
]
Sign = Annotated[list[str] | None, typer.Option("--sign", help="Key to sign with: NAME.pem or NAME.pub.json.")]
Threshold = Annotated[int | None, typer.Option(min=1, help="Signatures that the role needs.")]
Keys = Annotated[list[Path] | None, typer.Option(help="Public key file; may be repeated.")]
Names = Annotated[list[str] | None, typer.Option(help="Name or start of the id of a key; may be repeated.")]


@app.command()
def init(
    *,
    root_key: Annotated[list[Path], typer.Option(help="Public key of a root holder; may be repeated.")],
    release_key: Annotated[list[Path], typer.Option(help="Public key of an approver; may be repeated.")],
    root_threshold: Threshold = 1,
    release_threshold: Threshold = 1,
    expires: Annotated[str, typer.Option(help="365d, or a date.")] = "3650d",
    sign: Sign = None,
    out: Annotated[Path, typer.Option("--out", envvar="OTABRIDGE_TRUST", help="New trust folder.")] = Path("trust"),
    passphrase_file: PassphraseOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the first root; it is complete once the threshold of root holders has signed."""
    _require_nothing_open(out)
    if has_roots(out):
        raise UsageError(f"{out} holds a root already: change it with `otabridge root rotate`")
    change = RootChange(
        parse_expiry(expires, datetime.now(UTC), "--expires"),
        _role(root_key, None, root_threshold),
        _role(release_key, None, release_threshold),
    )
    _sign_and_save(out, new_root(change), None, keys=sign or [], passphrase_file=passphrase_file, output=output)


@app.command()
def rotate(
    *,
    trust: TrustOption = Path("trust"),
    add_root_key: Keys = None,
    remove_root_key: Names = None,
    add_release_key: Keys = None,
    remove_release_key: Names = None,
    root_threshold: Threshold = None,
    release_threshold: Threshold = None,
    expires: Annotated[str | None, typer.Option(help="365d, or a date; else as before.")] = None,
    sign: Sign = None,
    passphrase_file: PassphraseOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the next root, signed by the old threshold and the new; without changes, sign the open draft."""
    roles = (
        _role(add_root_key, remove_root_key, root_threshold),
        _role(add_release_key, remove_release_key, release_threshold),
    )
    if expires is None and all(role.is_empty for role in roles):
        _sign_draft(trust, sign or [], passphrase_file, output)
        return
    _require_nothing_open(trust)
    current = read_trust(trust)
    root = next_root(current, RootChange(_next_expiry(expires, current.root), *roles))
    _sign_and_save(trust, root, current.root, keys=sign or [], passphrase_file=passphrase_file, output=output)


@app.command(name="sign")
def sign_(
    key: Annotated[list[str], typer.Argument(help="NAME.pem or NAME.pub.json; may be repeated.")],
    trust: TrustOption = Path("trust"),
    passphrase_file: PassphraseOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Sign the open draft; with its last signature it becomes the newest root."""
    _sign_draft(trust, key, passphrase_file, output)


@app.command(name="show")
def show_(trust: TrustOption = Path("trust"), output: OutputOption = Output.TEXT) -> None:
    """Show who holds which role, when the root expires, and what an open draft waits for."""
    current = read_trust(trust).root if has_roots(trust) else None
    draft = read_draft(trust)
    if current is None and draft is None:
        raise UsageError(f"{trust} holds neither a root nor a draft: make one with `otabridge root init`")
    now = datetime.now(UTC)
    root_view = view_root(current, now) if current else None
    draft_view = view_draft(draft, current, now) if draft else None
    _print(root_view, draft_view, output)


def _role(add: list[Path] | None, remove: list[str] | None, threshold: int | None) -> RoleChange:
    return RoleChange(tuple(read_public(path) for path in add or ()), tuple(remove or ()), threshold)


def _next_expiry(text: str | None, current: Root) -> datetime:
    now = datetime.now(UTC)
    if text is not None:
        return parse_expiry(text, now, "--expires")
    if current.expires <= now:
        raise UsageError(f"root version {current.version} expired on {current.expires:%Y-%m-%d}: give a new --expires")
    return current.expires


def _require_nothing_open(folder: Path) -> None:
    draft = read_draft(folder)
    if draft is not None:
        raise UsageError(
            f"{folder / DRAFT} (version {draft.signed.version}) waits for signatures: complete it with "
            "`otabridge root sign`, or delete the file to give it up"
        )


def _sign_draft(folder: Path, keys: list[str], passphrase_file: Path | None, output: Output) -> None:
    draft = read_draft(folder)
    if draft is None:
        raise UsageError(f"{folder} holds no draft: name a change, such as --add-release-key, or a new --expires")
    previous = read_trust(folder).root if has_roots(folder) else None
    expected = previous.version + 1 if previous else 1
    if draft.signed.version != expected:
        raise UsageError(
            f"{folder / DRAFT} is version {draft.signed.version}, next is {expected}: delete the old draft"
        )
    _sign_and_save(folder, draft, previous, keys=keys, passphrase_file=passphrase_file, output=output)


def _sign_and_save(
    folder: Path,
    root: Metadata[Root],
    previous: Root | None,
    *,
    keys: list[str],
    passphrase_file: Path | None,
    output: Output,
) -> None:
    cosign(root, previous, [find_key(key) for key in keys], secrets(passphrase_file))
    path = save(folder, root, previous)
    now = datetime.now(UTC)
    if path.name == DRAFT:
        _print(None, view_draft(root, previous, now), output)
    else:
        _print(view_root(root.signed, now), None, output)


def _print(root: RootView | None, draft: DraftView | None, output: Output) -> None:
    parts = [describe_root(root)] if root else []
    parts += [describe_draft(draft)] if draft else []
    show({"root": root, "draft": draft}, "\n\n".join(parts), output)
