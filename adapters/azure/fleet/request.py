"""One stage order as Device Update's own words: the update that it deploys, and what breaks a limit. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.azure.fleet.queries import is_device_id
from adapters.azure.fleet.selection import Selection
from adapters.azure.formats.import_manifest import File, ImportManifest, Step, render
from adapters.azure.wire import (
    HANDLER,
    MAX_FILES,
    RELEASE_FILE,
    RESERVED_FILES,
    ROOTS_FILE,
    UpdateId,
    render_roots,
    step_properties,
    update_id,
)
from adapters.violations import BrokenLimits, Violation
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.manifest import Artifact, Release, parse
from bridge.release.trust import read_release

MAX_TIMEOUT_MINUTES = 10_080
"""Device Update has no timeout; otabridge counts it, and promises no more than the other cloud can."""
_DAY_ZERO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StageRequest:
    """What a stage order becomes. `roots_file` is empty where there are no later roots; digests are hex.

    It is for `devices`, in their order, or for those of `selection`, of which there were `planned`; `admitted` of them
    may be offered it by now.
    """

    stage: str
    key: str
    update_id: UpdateId
    release: Release
    release_file: bytes
    roots_file: bytes
    devices: tuple[str, ...]
    timeout_minutes: int
    manufacturer: str
    selection: Selection | None = None
    planned: int = 0
    admitted: int | None = None

    @property
    def size(self) -> int:
        """How many devices, as far as it was planned."""
        return len(self.devices) if self.selection is None else self.planned

    @property
    def target(self) -> int | None:
        """How many of its devices, or of its buckets, from the first on, may be in the group by now; None: all."""
        if self.admitted is None or self.admitted >= self.size:
            return None
        return self.admitted if self.selection is None else self.selection.width * self.admitted // self.size

    @property
    def release_sha256(self) -> str:
        """Digest of `release.json`."""
        return hashlib.sha256(self.release_file).hexdigest()

    @property
    def roots_sha256(self) -> str:
        """Digest of `roots.json`; "" without one."""
        return hashlib.sha256(self.roots_file).hexdigest() if self.roots_file else ""

    @property
    def properties(self) -> dict[str, str]:
        """`handlerProperties` of the update's step."""
        return step_properties(self.release_sha256, self.roots_sha256)

    @property
    def metadata(self) -> dict[str, bytes]:
        """The update's files beside the artifacts, by name."""
        roots = {ROOTS_FILE: self.roots_file} if self.roots_file else {}
        return {RELEASE_FILE: self.release_file, **roots}


def stage_request(order: StageOrder, *, provider: str, manufacturer: str) -> StageRequest:
    """The request of `order`. Raises: BrokenLimits with every limit that it breaks; ReleaseError."""
    release = parse(read_release(order.release).signed)
    broken = [*_order_limits(order), *_file_limits(release.artifacts, with_roots=bool(order.roots))]
    try:
        update = update_id(provider, release.name, release.version)
    except BrokenLimits as error:
        raise BrokenLimits((*broken, *error.violations)) from error
    if broken:
        raise BrokenLimits(tuple(broken))
    request = StageRequest(
        stage=stage_name(order.key),
        key=order.key,
        update_id=update,
        release=release,
        release_file=order.release,
        roots_file=render_roots(order.roots) if order.roots else b"",
        devices=tuple(dict.fromkeys(order.devices)),
        timeout_minutes=order.timeout_minutes,
        manufacturer=manufacturer,
        selection=_selection(order),
        planned=order.size,
        admitted=order.admitted,
    )
    import_manifest(request, _DAY_ZERO)
    return request


def import_manifest(request: StageRequest, created: datetime) -> bytes:
    """What Device Update is given beside the files. Raises: BrokenLimits."""
    files = tuple(_file(name, octets) for name, octets in request.metadata.items())
    artifacts = tuple(File(each.name, each.length, each.sha256) for each in request.release.artifacts)
    names = tuple(file.name for file in (*files, *artifacts))
    manifest = ImportManifest(
        version="4.0",
        update_id=request.update_id,
        compatibility=({"manufacturer": request.manufacturer, "model": request.release.compatibility.model},),
        steps=(Step(HANDLER, names, request.properties),),
        files=(*files, *artifacts),
        created=created,
    )
    return render(manifest)


def _file(name: str, octets: bytes) -> File:
    return File(name, len(octets), hashlib.sha256(octets).hexdigest())


def _selection(order: StageOrder) -> Selection | None:
    return Selection(order.part, order.buckets, order.models) if order.buckets else None


def _order_limits(order: StageOrder) -> Iterator[Violation]:
    if not 1 <= order.timeout_minutes <= MAX_TIMEOUT_MINUTES:
        yield Violation("timeout_minutes", str(order.timeout_minutes), f"must be 1 to {MAX_TIMEOUT_MINUTES}")
    selection = _selection(order)
    if selection is not None:
        yield from selection.violations()
    for device in order.devices:
        if not is_device_id(device):
            rule = "IoT Hub takes 1 to 128 ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ $ ; '"
            yield Violation("devices", repr(device)[:160], rule)
            return


def _file_limits(artifacts: Sequence[Artifact], *, with_roots: bool) -> Iterator[Violation]:
    for artifact in artifacts:
        if artifact.name in RESERVED_FILES:
            yield Violation("release.artifacts", artifact.name, "this name is taken by the release's own metadata")
    count = len(artifacts) + 1 + with_roots
    if count > MAX_FILES:
        metadata = f"{RELEASE_FILE} and {ROOTS_FILE}" if with_roots else RELEASE_FILE
        yield Violation(
            "release.artifacts", str(len(artifacts)), f"Device Update takes {MAX_FILES} files, {metadata} among them"
        )
