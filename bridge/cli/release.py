"""`otabridge release`: build, sign, verify, show and publish releases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.approval import Approval, approve
from bridge.cli.console import Output, OutputOption, show, transfer
from bridge.cli.passphrase import PassphraseOption, secrets
from bridge.cli.release_view import describe, describe_release, describe_standing, view, view_standing
from bridge.config import DEFAULT_FILE, read_config
from bridge.errors import UsageError
from bridge.expiry import parse_expiry, parse_time
from bridge.folder import Examination, build, examine, load, release_file, save
from bridge.images import DEFAULT_LEVEL, Encoding
from bridge.publish import Delivery, publish
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Artifact, Compatibility, Kind, Release, Versions, parse
from bridge.release.trust import Facts, Trust, Verdict
from bridge.roots import has_roots, read_trust
from bridge.signing import find_key

app = typer.Typer(help="Releases: what devices install, and who approved it.", no_args_is_help=True)

DEFAULT_TRUST = Path("trust")
ReleasePath = Annotated[Path, typer.Argument(help="Folder of the release, or its release.json.")]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", envvar="OTABRIDGE_TRUST", help="Trust folder; else ./trust where it exists.")
]


@app.command(name="build")
def build_(
    *,
    image: Annotated[Path, typer.Option(help="Raw image: a file or a block device.")],
    name: Annotated[str, typer.Option(help="The product's name, such as gateway-os.")],
    version: Annotated[str, typer.Option(help="Version that devices report, such as 2.1.0.")],
    sequence: Annotated[int, typer.Option(help="Number that only ever rises; floors compare it.")],
    model: Annotated[str, typer.Option(help="Model that the release is for.")],
    hardware: Annotated[list[str] | None, typer.Option(help="Hardware revision; may be repeated; else any.")] = None,
    from_version_min: Annotated[str | None, typer.Option(help="Oldest version to update from.")] = None,
    from_version_max: Annotated[str | None, typer.Option(help="Newest version to update from.")] = None,
    floor: Annotated[int, typer.Option(help="Least sequence accepted once this release is committed.")] = 1,
    kind: Annotated[Kind, typer.Option(help="Why the release exists.")] = Kind.FEATURE,
    advisory: Annotated[str, typer.Option(help="Identifier or URL of the security advisory.")] = "",
    support_until: Annotated[str | None, typer.Option(help="Last day of support: 2030-01-31.")] = None,
    health: Annotated[list[str] | None, typer.Option(help="Check that must pass; may be repeated; else all.")] = None,
    expires: Annotated[str, typer.Option(help="365d, or a date: devices refuse the release afterwards.")] = "365d",
    level: Annotated[int, typer.Option(help="zstd level, 1 (fast) to 22 (small).")] = DEFAULT_LEVEL,
    out: Annotated[Path, typer.Option(help="New folder for the release.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a release folder: the artifact of an image, and an unsigned release.json."""
    now = datetime.now(UTC)
    draft = Release(
        name=name,
        version=version,
        sequence=sequence,
        compatibility=Compatibility(model, tuple(hardware or ()), Versions(from_version_min, from_version_max)),
        artifacts=(),
        expires=parse_expiry(expires, now, "--expires"),
        floor=floor,
        kind=kind,
        advisory=advisory,
        support_until=parse_time(support_until, "--support-until").date() if support_until else None,
        health=tuple(health or ()),
    )
    release = _build(image, out, draft, level)
    show(release, "\n".join([*describe_release(release, now), *map(_describe_artifact, release.artifacts)]), output)


def _build(image: Path, out: Path, draft: Release, level: int) -> Release:
    with transfer(f"compress {image.name}", image.stat().st_size if image.is_file() else 0) as progress:
        return build(image, out, draft, Encoding(level), lambda count: progress.advance(progress.task_ids[0], count))


def _describe_artifact(artifact: Artifact) -> str:
    share = 100 * artifact.length / artifact.image.length
    return f"artifact    {artifact.name}: {artifact.length} bytes, {share:.1f} % of the image"


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
    output: OutputOption = Output.TEXT,
) -> None:
    """Judge a release as a device does, and explain; refusals end with exit code 10 to 18."""
    now = parse_time(at, "--at") if at else datetime.now(UTC)
    facts = _facts(model, hardware, current_version, floor)
    examination = _examine(release, trust or DEFAULT_TRUST, now, facts, artifacts=artifacts)
    seen = view(examination)
    show(seen, describe(seen, now), output)
    examination.accepted()


def _facts(model: str | None, hardware: str | None, version: str | None, floor: int | None) -> Facts | None:
    if model is not None:
        return Facts(model, hardware or "", version, 1 if floor is None else floor)
    if hardware is not None or version is not None or floor is not None:
        raise UsageError("--hardware, --current-version and --floor describe a device: give its --model too")
    return None


def _examine(path: Path, trust: Path, now: datetime, facts: Facts | None, *, artifacts: bool) -> Examination:
    try:
        trusted = read_trust(trust)
    except ReleaseError as error:
        return Examination(Verdict(error))
    with transfer(f"verify {path.name}", _bytes_of(path)) as progress:
        step = (lambda count: progress.advance(progress.task_ids[0], count)) if artifacts else None
        return examine(path, trusted, now, facts, step)


def _bytes_of(path: Path) -> int:
    """Bytes of artifacts, for the progress bar; what cannot be read is reported by the examination itself."""
    try:
        return sum(artifact.length for artifact in parse(load(path).signed).artifacts)
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
    lines = [*describe_release(content, datetime.now(UTC)), *map(_describe_artifact, content.artifacts)]
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
