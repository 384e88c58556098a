"""Lists of blobs and containers in storage's XML. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from adapters.azure.simulator.blob_store import Blob, Container
from adapters.azure.simulator.moments import http_date

_MOST = 5000


def list_blobs(name: str, container: Container, args: Mapping[str, str]) -> str:
    """The answer to List Blobs with its `prefix`, `delimiter`, `marker`, `maxresults` and `include`.

    The marker is the name of the first entry of the next page.
    """
    prefix, size = args.get("prefix", ""), _size(args.get("maxresults", ""))
    entries = list(_entries(container, prefix, args.get("delimiter", "")))
    rest = [each for each in entries if each[0] >= args.get("marker", "")]
    marker = rest[size][0] if len(rest) > size else ""
    metadata = "metadata" in args.get("include", "")
    listed = "".join(_entry(each, blob, metadata=metadata) for each, blob in rest[:size])
    head = f"<Prefix>{escape(prefix)}</Prefix><MaxResults>{size}</MaxResults>"
    return (
        f"<EnumerationResults ContainerName={quoteattr(name)}>{head}"
        f"<Blobs>{listed}</Blobs><NextMarker>{escape(marker)}</NextMarker></EnumerationResults>"
    )


def containers_xml(containers: Mapping[str, Container]) -> str:
    """The answer to List Containers, all on one page."""
    listed = "".join(
        f"<Container><Name>{escape(name)}</Name>"
        f"<Properties>{_versions(each.modified, each.etag)}</Properties></Container>"
        for name, each in sorted(containers.items())
    )
    return f"<EnumerationResults><Containers>{listed}</Containers><NextMarker /></EnumerationResults>"


def _size(text: str) -> int:
    return min(int(text), _MOST) if text.isdecimal() and int(text) else _MOST


def _entries(container: Container, prefix: str, delimiter: str) -> Iterator[tuple[str, Blob | None]]:
    """Blobs by name, and with a delimiter the common beginnings of names, without a blob."""
    told = ""
    for name, blob in sorted(container.blobs.items()):
        if not name.startswith(prefix):
            continue
        head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        if not found:
            yield name, blob
        elif told != prefix + head + delimiter:
            told = prefix + head + delimiter
            yield told, None


def _entry(name: str, blob: Blob | None, *, metadata: bool) -> str:
    if blob is None:
        return f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>"
    properties = (
        f"<Creation-Time>{http_date(blob.created)}</Creation-Time>{_versions(blob.modified, blob.etag)}"
        f"<Content-Length>{blob.size}</Content-Length><Content-Type>{escape(blob.content_type)}</Content-Type>"
        "<BlobType>BlockBlob</BlobType>"
    )
    pairs = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in blob.metadata.items())
    said = f"<Metadata>{pairs}</Metadata>" if metadata else ""
    return f"<Blob><Name>{escape(name)}</Name><Properties>{properties}</Properties>{said}</Blob>"


def _versions(modified: float, etag: str) -> str:
    return f"<Last-Modified>{http_date(modified)}</Last-Modified><Etag>{escape(etag)}</Etag>"
