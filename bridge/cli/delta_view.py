"""Payloads as the command line shows them: what they do, of what they consist, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.cli.sizes import in_bytes
from bridge.delta.inspecting import Anatomy, Coded, Work
from bridge.release.delta.header import VERSION
from bridge.release.delta.packing import Method, Packing
from bridge.release.image import Image

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class PayloadView:
    """What `delta info` tells. Lengths and `memory` in bytes; `source` is None for a full artifact. `span`, `raw` and
    `window` are the most that a span makes of the image, has in one packed stream, and holds for such streams."""

    version: int
    length: int
    source: Image | None
    image: Image
    memory: int
    span: int
    raw: int
    window: int
    frames: int
    spans: int
    packings: tuple[str, ...]
    operations: Mapping[str, Work]
    streams: tuple[Coded, ...]


def view(anatomy: Anatomy) -> PayloadView:
    """`anatomy` for programs."""
    terms = anatomy.terms
    return PayloadView(
        version=VERSION,
        length=anatomy.length,
        source=anatomy.images.old,
        image=anatomy.images.new,
        memory=terms.memory,
        span=anatomy.span,
        raw=anatomy.raw,
        window=anatomy.window,
        frames=terms.frames,
        spans=anatomy.spans,
        packings=tuple(describe_packing(packing) for packing in terms.packings),
        operations={kind.name: work for kind, work in anatomy.work.items()},
        streams=anatomy.streams,
    )


def describe(name: str, seen: PayloadView) -> str:
    """`seen`, the payload of this name, in lines for people."""
    share = 100 * seen.length / max(1, seen.image.length)
    lines = [
        f"payload     {name}: {seen.length} bytes, {share:.1f} % of the image that it makes, version {seen.version}",
        f"from        {describe_image(seen.source) if seen.source else 'nothing: it is a full artifact'}",
        f"to          {describe_image(seen.image)}",
        f"memory      {describe_memory(seen.memory)} to apply",
        f"limits      spans of {in_bytes(seen.span)}, streams of {in_bytes(seen.raw)} in {in_bytes(seen.window)}",
        f"frames      {seen.frames}, of {seen.spans} spans",
    ]
    lines += [f"packing     {number}: {packing}" for number, packing in enumerate(seen.packings)]
    lines += [f"operations  {name:<8} {work.count:>9}{work.length:>16} bytes" for name, work in seen.operations.items()]
    return "\n".join([*lines, *_streams(seen.streams)])


def _streams(streams: tuple[Coded, ...]) -> Iterator[str]:
    for each in streams:
        yield (
            f"streams     {each.name:<8} {each.codec:<8} {each.count:>5}{each.raw:>13} bytes in {each.stored}, "
            f"{100 * each.stored / each.raw:.1f} %"
        )


def describe_image(image: Image) -> str:
    """Length and digest."""
    return f"{image.length} bytes, sha256 {image.sha256}"


def describe_memory(count: int) -> str:
    """Memory is counted in powers of two, as devices are configured."""
    return f"{count / MEBIBYTE:.1f} MiB"


def describe_packing(packing: Packing) -> str:
    """A way of packing, in the words of its library."""
    if packing.method is Method.LZ4:
        return f"LZ4, level {packing.level}"
    return (
        f"deflate, level {packing.level}, window bits {packing.window_bits}, memory level {packing.memory_level}, "
        f"strategy {packing.strategy}"
    )
