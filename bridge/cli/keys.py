"""`otabridge keys`: make, import and look at keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.console import Output, OutputOption, show
from bridge.cli.passphrase import PassphraseOption, new_passphrase, secrets
from bridge.keys import PUBLIC_SUFFIX, KeyType, create_key, read_public, require_key_name, write_public
from bridge.signing import import_key

app = typer.Typer(help="Keys of approvers and of root holders.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--out", envvar="OTABRIDGE_KEYS", help="Folder for the key files.")]
Name = Annotated[str, typer.Argument(help="The owner's name; devices and reports show it.")]


@app.command()
def create(
    name: Name,
    *,
    kind: Annotated[KeyType, typer.Option("--type", help="Algorithm.")] = KeyType.ED25519,
    out: Folder = Path(),
    passphrase_file: PassphraseOption = None,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave the private key unencrypted: for tests.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a key: NAME.pem, which stays with its owner, and NAME.pub.json, which goes to the root."""
    passphrase = None if no_passphrase else new_passphrase(passphrase_file, name)
    files = create_key(name, kind, out, passphrase)
    lines = [f"private key  {files.private}  (keep it; never share it)", f"public key   {files.public}"]
    if no_passphrase:
        lines.append("The private key is NOT encrypted: whoever reads the file can sign.")
    show({"private": str(files.private), "public": str(files.public)}, "\n".join(lines), output)


@app.command(name="import")
def import_(
    uri: Annotated[str, typer.Argument(help="awskms:KEY_ID, azurekms:VAULT/KEY, gcpkms:KEY, hsm: or hv:KEY.")],
    name: Annotated[str, typer.Option(help="The owner's name; devices and reports show it.")],
    out: Folder = Path(),
    passphrase_file: PassphraseOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the public key file of a key that lives in a KMS or HSM."""
    require_key_name(name)
    owned = import_key(uri, name, secrets(passphrase_file))
    public = out / f"{name}{PUBLIC_SUFFIX}"
    write_public(public, owned)
    show({"public": str(public), "uri": owned.uri}, f"public key   {public}\nprivate key  {owned.uri}", output)


@app.command(name="show")
def show_(
    file: Annotated[Path, typer.Argument(help="NAME.pub.json")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Show whose key a public key file holds; compare the id over another channel before trusting it."""
    owned = read_public(file)
    facts = {
        "name": owned.name,
        "keyid": owned.key.keyid,
        "type": owned.key.keytype,
        "scheme": owned.key.scheme,
        "private": owned.uri,
    }
    show(facts, "\n".join(f"{label:8} {value}" for label, value in facts.items()), output)
