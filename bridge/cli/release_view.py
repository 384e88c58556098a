"""A release as the command line shows it: what it is, who stands behind it, and why it would be refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bridge.folder import Examination, Finding
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Artifact, Codec, Release
from bridge.release.step import Step
from bridge.release.trust import Standing


@dataclass(frozen=True, slots=True)
class RefusalView:
    """Why a device refuses: the reason for people, the failure code and exit code for programs."""

    reason: str
    code: int
    name: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class StandingView:
    """Who has signed, who has not, and how many signatures are missing."""

    threshold: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]
    missing: int


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """One artifact held against its signed description; `is_applied` tells whether its image was made of it.

    `codec` and `step` are as signed: what a handler is handed as it is, and for which step of the release.
    """

    name: str
    length: int
    problem: str | None
    is_applied: bool
    codec: Codec
    step: str


@dataclass(frozen=True, slots=True)
class VerifyView:
    """Everything that was found out; fields are None where the file could not be read that far."""

    accepted: bool
    refusal: RefusalView | None
    release: Release | None
    standing: StandingView | None
    root_version: int
    root_expires: datetime | None
    artifacts: tuple[ArtifactView, ...]


def view(examination: Examination) -> VerifyView:
    """`examination` for programs."""
    verdict, refusal = examination.verdict, examination.refusal
    return VerifyView(
        accepted=refusal is None,
        refusal=_view_refusal(refusal) if refusal else None,
        release=verdict.release,
        standing=view_standing(verdict.standing) if verdict.standing else None,
        root_version=verdict.root_version,
        root_expires=verdict.root_expires,
        artifacts=tuple(map(_view_finding, examination.findings)),
    )


def _view_finding(finding: Finding) -> ArtifactView:
    problem, artifact = str(finding.problem) if finding.problem else None, finding.artifact
    return ArtifactView(artifact.name, artifact.length, problem, finding.is_applied, artifact.codec, artifact.step)


def _view_refusal(refusal: ReleaseError) -> RefusalView:
    return RefusalView(str(refusal), refusal.code.value, refusal.code.name, refusal.exit_code)


def view_standing(standing: Standing) -> StandingView:
    """`standing` for programs."""
    return StandingView(standing.threshold, standing.signed, standing.unsigned, standing.missing)


def describe(seen: VerifyView, now: datetime) -> str:
    """`seen` in lines for people, as of `now`."""
    lines = describe_release(seen.release, now) if seen.release else ["release.json is not readable as a release"]
    if seen.standing:
        lines.append(describe_standing(seen.standing))
    if seen.root_expires:
        lines.append(f"root        version {seen.root_version}, {_when(seen.root_expires, now)}")
    lines += [f"artifact    {_describe_finding(each)}" for each in seen.artifacts]
    lines.append(f"REFUSED     {seen.refusal.reason}" if seen.refusal else "accepted")
    return "\n".join(lines)


def _describe_finding(seen: ArtifactView) -> str:
    if seen.problem:
        return f"{seen.name}: {seen.problem.removeprefix(f'artifact {seen.name}: ')}"
    return f"{seen.name}: length and sha256 as signed{'' if seen.is_applied else f'; {_describe_unmade(seen)}'}"


def _describe_unmade(seen: ArtifactView) -> str:
    if seen.codec is Codec.FILE:
        return f"what the handler of step {seen.step} makes of it, devices read back"
    return "not applied: give the image that it starts from with --source"


def describe_release(release: Release, now: datetime) -> list[str]:
    """What a release says of itself, in lines for people, as of `now`."""
    wanted = release.compatibility
    span = wanted.from_version
    start = f"from {span}" if span.least or span.most else "from any version"
    lines = [
        f"release     {release.name} {release.version}, sequence {release.sequence}, {release.kind}",
        f"for         model {wanted.model}, hardware {', '.join(wanted.hardware) or 'any'}, {start}",
        f"floor       {release.floor}",
        f"expires     {_when(release.expires, now)}",
        f"health      {', '.join(release.health) or 'all checks that the device has'}",
    ]
    lines += [f"advisory    {release.advisory}"] if release.advisory else []
    lines += [f"supported   until {release.support_until}"] if release.support_until else []
    files = ", nor a file of a step," if release.steps else ""
    kept_off = f"metered     the full artifact is never fetched{files} over such a link"
    lines += [] if release.full_over_metered else [kept_off]
    return [*lines, *map(_describe_step, release.steps)]


def _describe_step(step: Step) -> str:
    settings = [f"{name}={value}" for name, value in step.settings.items()]
    words = [step.handler, f"on the {step.place}", *(["restart"] if step.restart else []), *settings]
    return f"step        {step.name}: {', '.join(words)}"


def describe_artifacts(release: Release) -> Iterator[str]:
    """A line for each artifact: the full one beside the image, deltas beside the full one, files beside their step."""
    for artifact in release.artifacts:
        yield f"artifact    {artifact.name}: {artifact.length} bytes, {_describe_share(artifact, release)}"


def _describe_share(artifact: Artifact, release: Release) -> str:
    if artifact.codec is Codec.FILE:
        made = "" if artifact.is_its_image else f", which makes an image of {artifact.image.length} bytes"
        return f"for step {artifact.step}{made}"
    if artifact.source is None:
        return f"{100 * artifact.length / max(1, artifact.image.length):.1f} % of the image"
    return f"{100 * artifact.length / max(1, release.full.length):.1f} % of the full artifact"


def describe_standing(standing: StandingView) -> str:
    """Who stands behind a release, in a line for people."""
    signed = f"signed      by {', '.join(standing.signed) or 'nobody'}; {standing.threshold} needed"
    return f"{signed}, {standing.missing} missing, of {', '.join(standing.unsigned)}" if standing.missing else signed


def _when(time: datetime, now: datetime) -> str:
    days = (time - now).days
    return f"{time:%Y-%m-%d %H:%M} UTC, in {days} days" if time > now else f"{time:%Y-%m-%d %H:%M} UTC, EXPIRED"
