"""What cloud side and device say to each other through AWS IoT Jobs: the job document down, statusDetails up. Pure.

`docs/reference/aws-wire.md` describes both field by field. Every pair of functions here is inverse to each other.
The service parses and rewrites the document on its way (it drops nulls, respells numbers and escapes), so nothing in
it is signed as JSON: `release.json` and the roots ride as base64, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import msgspec

from adapters.violations import BrokenLimits, Violation
from bridge.release.errors import FailureCode, ReleaseError
from bridge.release.manifest import MAX_ARTIFACTS, MAX_RELEASE_BYTES, ArtifactName
from bridge.release.report import Outcome
from bridge.release.trust import MAX_ROOT_BYTES, MAX_ROOTS

SCHEMA = "otabridge/1"
"""Names the document's format; `otabridge/2` would be one that this program must not read."""
OPERATION = "ota"
MAX_DOCUMENT_BYTES = 32_768
"""CreateJob refuses a longer document (AWS IoT Jobs limits)."""
MAX_PLACEHOLDERS = 10
"""Substitutions that the service makes in one document (AWS IoT Jobs limits)."""
MAX_URL = 8192
"""Characters of one download URL; a signed one has some 1500."""
PLACEHOLDER = "${aws:iot:"
"""How everything begins that the service fills in when a device asks for the document."""

IN_PROGRESS = "IN_PROGRESS"
STATUS = MappingProxyType(
    {
        Outcome.INSTALLED: "SUCCEEDED",
        Outcome.REJECTED: "REJECTED",
        Outcome.FAILED: "FAILED",
        Outcome.FELL_BACK: "FAILED",
    }
)
"""Status of a job execution after each outcome. The service retries FAILED, where a job asks for it, never REJECTED."""


class ForeignDocument(ReleaseError):
    """A job document that some other program wrote for some other agent."""

    code = FailureCode.FOREIGN


class MalformedDocument(ReleaseError):
    """A job document that claims our schema and does not keep it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A job document. `urls`: for each artifact a placeholder on the way down, a signed URL once delivered.

    `metadata` is the whole `release.json`; `roots` the root versions after the first, in order. `name` and `version`
    are for people who read the job in the console; a device goes by `metadata` alone.
    """

    name: str
    version: str
    metadata: bytes
    roots: tuple[bytes, ...]
    urls: Mapping[str, str]


class _Named(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=128)] = ""
    version: Annotated[str, msgspec.Meta(max_length=128)] = ""


class _Wire(msgspec.Struct, frozen=True):
    """The document as JSON; msgspec spells bytes as base64. Unknown members are passed over."""

    schema: str
    operation: str
    release: _Named
    metadata: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_RELEASE_BYTES)]
    roots: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_ROOT_BYTES)], ...],
        msgspec.Meta(max_length=MAX_ROOTS),
    ]
    artifacts: Annotated[
        dict[ArtifactName, Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_URL)]],
        msgspec.Meta(min_length=1, max_length=MAX_ARTIFACTS),
    ]


def render_document(document: Document) -> str:
    """`document` as CreateJob takes it.

    Raises:
        BrokenLimits: longer than the service accepts, or more placeholders than it fills in.
    """
    text = msgspec.json.encode(_wire_of(document)).decode()
    _check_size(document, len(text))
    return text


def parse_document(value: object) -> Document:
    """A job document as a device receives it: the decoded JSON value.

    Raises:
        ForeignDocument: it is somebody else's, or of a later schema.
        MalformedDocument: a field is missing, of the wrong type or outside its limit; the message names it.
    """
    if not isinstance(value, Mapping):
        raise ForeignDocument(f"the job document is no JSON object but {type(value).__name__}")
    _check_schema(value)
    try:
        wire = msgspec.convert(value, _Wire)
    except msgspec.ValidationError as error:
        raise MalformedDocument(f"job document: {error}") from error
    return Document(wire.release.name, wire.release.version, wire.metadata, wire.roots, wire.artifacts)


def check_signed(document: Document) -> None:
    """Whether the service filled in every URL.

    Raises:
        MalformedDocument: a placeholder is still there.
    """
    for name, url in document.urls.items():
        if url.startswith(PLACEHOLDER):
            raise MalformedDocument(
                f"job document: artifacts[{name!r}] still holds a placeholder: AWS IoT could not sign the URL; "
                "check that the job's presign role exists, trusts iot.amazonaws.com and may s3:GetObject"
            )


def _wire_of(document: Document) -> _Wire:
    named = _Named(document.name, document.version)
    return _Wire(SCHEMA, OPERATION, named, document.metadata, document.roots, dict(document.urls))


def _check_schema(value: Mapping[object, object]) -> None:
    schema = value.get("schema")
    if not isinstance(schema, str) or not schema.startswith("otabridge/"):
        raise ForeignDocument(
            f"the job document is not for this agent: its schema is {str(schema)[:64]!r}, expected {SCHEMA!r}"
        )
    if schema != SCHEMA:
        raise ForeignDocument(f"the job document has schema {schema[:64]!r}, this agent reads {SCHEMA!r}: update it")
    if value.get("operation") != OPERATION:
        raise ForeignDocument(f"the job document asks for operation {str(value.get('operation'))[:64]!r}, not 'ota'")


def _check_size(document: Document, size: int) -> None:
    found = []
    if size > MAX_DOCUMENT_BYTES:
        found.append(Violation("document", f"{size} bytes", _size_advice(document, size)))
    if len(document.urls) > MAX_PLACEHOLDERS:
        limit = f"AWS fills in at most {MAX_PLACEHOLDERS} URLs of a job document: publish fewer deltas in this release"
        found.append(Violation("artifacts", f"{len(document.urls)} downloads", limit))
    if found:
        raise BrokenLimits(tuple(found))


def _size_advice(document: Document, size: int) -> str:
    """How many roots would fit: each takes its base64, two quotes and a comma."""
    costs = [-(-len(root) // 3) * 4 + 3 for root in document.roots]
    spare = MAX_DOCUMENT_BYTES - (size - sum(costs))
    fitting = sum(1 for index in range(len(costs)) if sum(costs[: index + 1]) <= spare)
    advice = f"the limit is {MAX_DOCUMENT_BYTES}; beside release.json ({len(document.metadata)} bytes) "
    return advice + f"{fitting} of {len(costs)} roots fit: update the devices in steps, or sign with fewer keys"
