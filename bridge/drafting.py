"""A release before its artifacts are made: how they will be called, and whether devices will be able to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bridge.folder import document_of
from bridge.handler_files import StepSource
from bridge.images import artifact_name, file_name
from bridge.old_images import OldImage
from bridge.release.image import MAX_IMAGE_BYTES, Image
from bridge.release.manifest import MAX_MEMORY, Artifact, Codec, Release

HARDWARE_CHARACTERS = 40
"""Of the revisions, in the name of an artifact."""
ANY_IMAGE = Image(MAX_IMAGE_BYTES, "0" * 64)
"""In the place of one that was not read: as long to write as any, and none that there is."""
ANY_ARTIFACT = Artifact("any", MAX_IMAGE_BYTES, ANY_IMAGE.sha256, ANY_IMAGE)


def image_name(draft: Release, old: OldImage | None = None) -> str:
    """The file name of the full artifact, or of the delta from `old`."""
    return artifact_name(draft.name, draft.version, _hardware(draft), old.image.sha256 if old else "")


def handed_name(draft: Release, source: StepSource) -> str:
    """The file name of what the handler of `source` is handed; it keeps its suffix, for people who look at it."""
    suffix = source.file.suffix if source.file else ""
    return file_name(draft.name, draft.version, _hardware(draft), f"step-{source.step.name}{suffix}")


def require_fields(draft: Release, step: str | None, olds: Sequence[OldImage], files: Sequence[StepSource]) -> None:
    """The release can be written and read, whatever lengths and digests it will have: with an image for `step`, unless
    that is None, with deltas from `olds`, and with `files`. Raises: MalformedRelease.
    """
    images = () if step is None else _images(draft, step, olds)
    handed = (
        msgspec.structs.replace(ANY_ARTIFACT, name=handed_name(draft, each), codec=Codec.FILE, step=each.step.name)
        for each in files
    )
    document_of(msgspec.structs.replace(draft, artifacts=(*images, *handed)))


def _images(draft: Release, step: str, olds: Sequence[OldImage]) -> Iterator[Artifact]:
    full = msgspec.structs.replace(ANY_ARTIFACT, name=image_name(draft), memory=MAX_MEMORY, step=step)
    yield full
    for old in olds:
        yield msgspec.structs.replace(full, name=image_name(draft, old), source=old.image)


def _hardware(draft: Release) -> str:
    """The revisions as far as a file name has room for them; the release names them all."""
    revisions = draft.compatibility.hardware
    joined = "-".join(revisions)
    return joined if len(joined) <= HARDWARE_CHARACTERS else f"{len(revisions)}-revisions"
