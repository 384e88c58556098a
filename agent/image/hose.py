"""A bounded queue from one thread to another that either side can break, and the threads at its ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Hose(Generic[Item]):
    """Items in order, at most `room` bytes of them by `weigh`, or one that is larger. One puts, another iterates."""

    def __init__(self, room: int, weigh: Callable[[Item], int]) -> None:
        self._room = room
        self._weigh = weigh
        self._items: deque[Item] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self.is_whole = False
        """Whether the hose was ended as `whole`: nothing was left out."""

    def put(self, item: Item) -> None:
        """Hand over `item`; waits while the hose is full. Raises: what broke the hose."""
        weight = self._weigh(item)
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._items or self._held + weight <= self._room)
            self._require_sound()
            self._items.append(item)
            self._held += weight
            self._changed.notify_all()

    def end(self, *, whole: bool) -> None:
        """Nothing more will come."""
        with self._changed:
            self._ended, self.is_whole = True, whole
            self._changed.notify_all()

    def break_off(self, error: BaseException) -> None:
        """Whoever waits or comes gets `error`; what is in the hose is lost. The first error stays."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """The items up to the end; waits for them. Raises: what broke the hose."""
        while taken := self._take(1):
            yield from taken

    def batches(self) -> Iterator[list[Item]]:
        """As iteration, but all that wait at once: few changes of threads where items are small."""
        while taken := self._take(None):
            yield taken

    def _take(self, count: int | None) -> list[Item]:
        """Up to `count` items, None for all that wait; none only at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._items or self._ended)
            self._require_sound()
            taken = [self._items.popleft() for _ in range(min(count or len(self._items), len(self._items)))]
            self._held -= sum(map(self._weigh, taken))
            self._changed.notify_all()
            return taken

    def _require_sound(self) -> None:
        if self._error is not None:
            raise self._error


class Crew:
    """Threads that work on the same hoses: the error of one breaks them by `breaks`, and is the `error` of the crew."""

    def __init__(self, *breaks: Callable[[BaseException], None]) -> None:
        self._breaks = breaks
        self._threads: list[threading.Thread] = []
        self.error: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Do `work` on a thread of its own."""
        thread = threading.Thread(target=self._guard, args=(work,), name=name)
        self._threads.append(thread)
        thread.start()

    def break_off(self, error: BaseException) -> None:
        """End them all with `error`."""
        for each in self._breaks:
            each(error)

    def join(self, meanwhile: Callable[[], None], seconds: float) -> None:
        """Wait for the end of all, calling `meanwhile` every so many `seconds`. Raises: what it raises."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(seconds)
                meanwhile()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it was ends the others, and is raised where all meet
            self.error = self.error or error
            self.break_off(error)
