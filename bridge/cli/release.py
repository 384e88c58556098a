"""`otabridge release`: build, sign, verify, show and publish releases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from bridge.approval import Approval, approve
from bridge.cli import release_build
from bridge.cli.console import Output, OutputOption, show, transfer
from bridge.cli.passphrase import PassphraseOption, secrets
from bridge.cli.release_view import (
    describe,
    describe_artifacts,
    describe_release,
    describe_standing,
    view,
    view_standing,
)
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import UsageError
from bridge.expiry import parse_time
from bridge.folder import Examination, Sources, examine, load, release_file, save
from bridge.old_images import read_image
from bridge.publish import Delivery, publish
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Release, parse
from bridge.release.trust import Facts, Trust, Verdict
from bridge.roots import has_roots, read_trust
from bridge.signing import find_key

app = typer.Typer(help="Releases: what devices install, and who approved it.", no_args_is_help=True)

DEFAULT_TRUST = Path("trust")
ReleasePath = Annotated[Path, typer.Argument(help="Folder of the release, or its release.json.")]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", envvar="OTABRIDGE_TRUST", help="Trust folder; else ./trust where it exists.")
]


app.command(name="build")(release_build.build)


@app.command()
def sign(
    release: ReleasePath,
    *,
    key: Annotated[str, typer.Option(help="NAME.pem, NAME.pub.json, or the URI of a KMS or HSM key.")],
    public: Annotated[Path | None, typer.Option(help="Public key file, where it is not beside the key.")] = None,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Approve a release: add one signature, once, and tell who is still missing."""
    metadata = load(release)
    holder = find_key(key, public)
    root = trusted.root if (trusted := _trust_if_any(trust)) else None
    approval = approve(metadata, holder, root, secrets(passphrase_file))
    if approval.added or approval.dropped:
        save(release, metadata)
    standing = view_standing(approval.standing) if approval.standing else None
    result = {"signer": holder.public.name, "added": approval.added, "dropped": approval.dropped, "standing": standing}
    show(result, _describe_approval(holder.public.name, approval), output)


def _describe_approval(name: str, approval: Approval) -> str:
    lines = [f"signed by {name}" if approval.added else f"{name} has signed already; nothing to do"]
    lines += [f"removed the signature of {keyid}, which is no release key any more" for keyid in approval.dropped]
    if approval.standing is None:
        return "\n".join([*lines, "no trust folder given: cannot tell whether signatures are missing"])
    return "\n".join([*lines, describe_standing(view_standing(approval.standing))])


@app.command()
def verify(
    release: ReleasePath,
    *,
    trust: TrustOption = None,
    model: Annotated[str | None, typer.Option(help="Judge as a device of this model.")] = None,
    hardware: Annotated[str | None, typer.Option(help="The device's hardware revision.")] = None,
    current_version: Annotated[str | None, typer.Option(help="The version that runs on the device.")] = None,
    floor: Annotated[int | None, typer.Option(help="The device's floor.")] = None,
    at: Annotated[str | None, typer.Option(help="Judge as of this time, such as 2030-01-31T12:00:00Z.")] = None,
    artifacts: Annotated[bool, typer.Option(help="Read the artifacts too.")] = True,
    source: Annotated[
        list[Path] | None, typer.Option(metavar="OLD", help="Apply the delta from this image too; may be repeated.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Judge a release as a device does, and explain; refusals end with exit code 10 to 18."""
    now = parse_time(at, "--at") if at else datetime.now(UTC)
    facts = _facts(model, hardware, current_version, floor)
    sources = _sources(release, source or [], artifacts=artifacts)
    examination = _examine(release, trust or DEFAULT_TRUST, now, facts, artifacts=artifacts, sources=sources)
    seen = view(examination)
    show(seen, describe(seen, now), output)
    examination.accepted()


def _facts(model: str | None, hardware: str | None, version: str | None, floor: int | None) -> Facts | None:
    if model is not None:
        return Facts(model, hardware or "", version, 1 if floor is None else floor)
    if hardware is not None or version is not None or floor is not None:
        raise UsageError("--hardware, --current-version and --floor describe a device: give its --model too")
    return None


def _sources(path: Path, given: list[Path], *, artifacts: bool) -> Sources:
    """The images of `given`, each of which a delta of the release at `path` starts from."""
    if given and not artifacts:
        raise UsageError("--source applies deltas, and --no-artifacts leaves them out: give one of them")
    known = {artifact.source for artifact in _content(path).artifacts} if given else set()
    sources = {read_image(image): image for image in given}
    for image, where in sources.items():
        if image not in known:
            raise UsageError(f"--source {where}: no delta of the release starts from it; it has sha256 {image.sha256}")
    return sources


def _content(path: Path) -> Release:
    return parse(load(path).signed)


def _examine(
    path: Path,
    trust: Path,
    now: datetime,
    facts: Facts | None,
    *,
    artifacts: bool,
    sources: Sources = MappingProxyType({}),
) -> Examination:
    try:
        trusted = read_trust(trust)
    except ReleaseError as error:
        return Examination(Verdict(error))
    with transfer(f"verify {path.name}", _bytes_of(path)) as progress:
        step = (lambda count: progress.advance(progress.task_ids[0], count)) if artifacts else None
        return examine(path, trusted, now, facts, step, sources=sources)


def _bytes_of(path: Path) -> int:
    """Bytes of artifacts, for the progress bar; what cannot be read is reported by the examination itself."""
    try:
        return sum(artifact.length for artifact in _content(path).artifacts)
    except ReleaseError:
        return 0


def _trust_if_any(trust: Path | None) -> Trust | None:
    if trust is None and not has_roots(DEFAULT_TRUST):
        return None
    return read_trust(trust or DEFAULT_TRUST)


@app.command(name="show")
def show_(release: ReleasePath, *, output: OutputOption = Output.TEXT) -> None:
    """Show what a release says of itself, unverified."""
    metadata = load(release)
    content = parse(metadata.signed)
    keys = tuple(str(keyid)[:12] for keyid in metadata.signatures)
    lines = [*describe_release(content, datetime.now(UTC)), *describe_artifacts(content)]
    lines.append(f"signatures  {', '.join(keys) or 'none'} (not verified: see `otabridge release verify`)")
    show({"release": content, "signatures": keys}, "\n".join(lines), output)


@app.command(name="publish")
def publish_(
    release: ReleasePath,
    *,
    fleet: Annotated[list[str], typer.Option(help="Fleet of the configuration; may be repeated.")],
    trust: TrustOption = None,
    config: Annotated[Path, typer.Option(envvar="OTABRIDGE_CONFIG", help="Configuration file.")] = DEFAULT_FILE,
    output: OutputOption = Output.TEXT,
) -> None:
    """Verify a release, then put its artifacts into the store of every fleet; run again after a failure."""
    from bridge.wiring import open_fleet

    settings = read_config(config)
    fleets = [open_fleet(settings, name) for name in dict.fromkeys(fleet)]
    examination = _examine(release, trust or settings.trust, datetime.now(UTC), None, artifacts=True)
    content = examination.accepted()
    total = len(fleets) * sum(artifact.length for artifact in content.artifacts)
    with transfer(f"publish {release_file(release).parent.name}", total) as progress:
        task = progress.task_ids[0]
        deliveries = publish(release, examination, fleets, lambda _fleet, count: progress.advance(task, count))
    _report(deliveries, output)


def _report(deliveries: tuple[Delivery, ...], output: Output) -> None:
    outcome = {each.fleet: str(each.problem) if each.problem else "published" for each in deliveries}
    lines = [str(each.problem) if each.problem else f"fleet {each.fleet}: published" for each in deliveries]
    show(outcome, "\n".join(lines), output)
    for each in deliveries:
        if each.problem:
            raise each.problem
