"""Whatever a controller calls outside itself, with a hook before and after each call: the places where it can die."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

Hook = Callable[[str], None]
FLEET = ("facts", "census", "put_artifact", "check", "start", "tally", "health", "watchdog_resets", "stop")
LISTS = ("devices", "reports")
NO_LOCK: AbstractContextManager = nullcontext()
STORE = ("create", "save", "load", "find", "state", "revision", "approvals")


class Killed(BaseException):
    """SIGKILL arrived here. Not an Exception: no handler of ours survives its own death."""


@dataclass(slots=True)
class KillAt:
    """Kills at the call number `at`, counting from 1; `calls` lists those that were reached."""

    at: int = 0
    calls: list[str] = field(default_factory=list)

    def __call__(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self.at:
            raise Killed(call)


class Faulty:
    """`inner` with `hook` around its methods `names`, one at a time where there is a `lock`."""

    def __init__(self, inner, names: tuple[str, ...], hook: Hook, lock: AbstractContextManager = NO_LOCK) -> None:
        self._inner = inner
        self._lock = lock
        self._names = names
        self._hook = hook

    def __getattr__(self, name: str):
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def call(*arguments, **named):
            self._hook(f"{name} begins")
            with self._lock:
                result = found(*arguments, **named)
                result = list(result) if name in LISTS else result
            self._hook(f"{name} ends")
            return result

        return call


class FaultyStore(Faulty):
    """A store with a hook around each call, on a clock that the world turns."""

    def __init__(self, inner, hook: Hook, clock) -> None:
        super().__init__(inner, STORE, hook)
        self.now = clock

    @contextmanager
    def hold(self, name: str, wait: float = 0.0):
        """As `Store.hold`."""
        self._hook("hold begins")
        with self._inner.hold(name, wait) as held:
            self._hook("hold ends")
            yield held
            self._hook("release begins")
        self._hook("release ends")
