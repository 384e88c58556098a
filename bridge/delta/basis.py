"""What is compared: the images, or where they have packed content views of them with that unpacked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.delta.contents.expanded import Expanded, write_expanded
from bridge.delta.contents.finding import Contents
from bridge.delta.contents.folding import fold
from bridge.delta.cutting import Limits
from bridge.delta.image_file import open_image
from bridge.delta.moves import Images
from bridge.delta.steps import Packed, Step
from bridge.delta.work import NEW, OLD, cannot_keep


@dataclass(frozen=True, slots=True)
class Basis:
    """The `images` to compare, and the views of the real ones that they are files of, if they are not those."""

    images: Images
    views: tuple[Expanded, Expanded] | None = None

    def fold(self, steps: Iterable[Step], limits: Limits) -> Iterable[Step | Packed]:
        """Steps between the real images, from `steps` between those compared."""
        return fold(steps, *self.views, limits) if self.views else steps


@contextmanager
def basis_of(images: Images, contents: Contents, folder: Path, executor: Executor) -> Iterator[Basis]:
    """The basis for images with these contents; `folder` has its files for so long.

    Raises: UsageError where there is no room for them.
    """
    if not contents.old and not contents.new:
        yield Basis(images)
        return
    old = Expanded(images.old, contents.old, contents.packings)
    new = Expanded(images.new, contents.new, contents.packings)
    with ExitStack() as stack:
        paths = [stack.enter_context(_file(view, folder / name, executor)) for view, name in ((old, OLD), (new, NEW))]
        yield Basis(Images(*(stack.enter_context(open_image(path)) for path in paths)), (old, new))


@contextmanager
def _file(view: Expanded, path: Path, executor: Executor) -> Iterator[Path]:
    """`view` written to `path`, which is gone at the end."""
    try:
        _write(view, path, executor)
        yield path
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _write(view: Expanded, path: Path, executor: Executor) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as output:
            write_expanded(view, output, executor)
    except OSError as error:
        raise cannot_keep(path.parent, error) from error
