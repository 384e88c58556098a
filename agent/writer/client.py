"""The agent's way to the slot writer: a connection for each request, and one for as long as a slot is written.

The writer may be started by the first connection, and may die at any moment: whoever listens for it starts it again,
and a request that lost its answer is made once more. Every request may be, unless it says otherwise.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from pathlib import Path

from agent.pace import Timing
from agent.slots import BootEnvironmentError
from agent.writer.protocol import MAX_PACKET, Done, ProtocolError, Refused, Request, Working, pack, reply_in
from bridge.release.errors import FailureCode, ReleaseError, SlotError

SLICE_SECONDS = 0.5
ANSWER_SECONDS = 120.0
"""How long the writer may say nothing at all: a medium may take long over one sync, and a board over starting it."""
RETURN_SECONDS = 60.0
"""How long the writer may be gone."""
PAUSE_SECONDS = 0.2
TRIES = 8
"""How often one request may kill the writer, or meet its death, before it is given up."""


class WriterGone(ConnectionError):
    """The connection ended before the answer came."""


class WriterRefusal(BootEnvironmentError):
    """The slot writer refused, or failed; `code` says why as for any other failure."""

    def __init__(self, message: str, code: FailureCode = FailureCode.BOOT_ENVIRONMENT) -> None:
        super().__init__(message)
        self.code = code


class ReleaseRefusedByWriter(ReleaseError):
    """The slot writer does not take the release, whatever the agent found."""

    def __init__(self, message: str, code: FailureCode) -> None:
        super().__init__(message)
        self.code = code


class Conversation:
    """One connection to the writer. Raises OSError, WriterGone among them, wherever it breaks."""

    def __init__(self, path: Path, timing: Timing) -> None:
        """Connect. `timing.beat` is called while an answer is waited for, and may raise."""
        self._timing = timing
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            self._line.settimeout(SLICE_SECONDS)  # where too many wait to be let in
            self._line.connect(str(path))
            self._line.settimeout(ANSWER_SECONDS)
        except OSError:
            self._line.close()
            raise

    def ask(self, request: Request) -> tuple[Done, int | None]:
        """The answer, and the descriptor that came with it, which the caller closes.

        Raises: OSError, also one that the writer met; SlotError, ReleaseError: it refused.
        """
        self._line.sendall(pack(request))
        while True:
            reply, descriptor = self._hear()
            match reply:
                case Done():
                    return reply, descriptor
                case Refused():
                    raise _raised(reply)

    def close(self) -> None:
        """Hang up; what was open there is closed."""
        self._line.close()

    def _hear(self) -> tuple[Done | Working | Refused, int | None]:
        self._await()
        data, descriptors, flags, _ = socket.recv_fds(self._line, MAX_PACKET, 1)
        if not data or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise WriterGone("the slot writer hung up")
        try:
            return reply_in(data), next(iter(descriptors), None)
        except ProtocolError as error:
            for descriptor in descriptors:
                os.close(descriptor)
            raise SlotError(f"the slot writer speaks otherwise than this agent: {error}; install both anew") from error

    def _await(self) -> None:
        end = self._timing.clock() + ANSWER_SECONDS
        while not select.select([self._line], [], [], SLICE_SECONDS)[0]:
            self._timing.beat()
            if self._timing.clock() >= end:
                raise SlotError(
                    f"the slot writer has said nothing for {ANSWER_SECONDS:g} s: is its medium failing? Look at "
                    "`systemctl status otabridge-slot-writer`"
                )


class SlotWriter:
    """Asks the writer at the socket `path`, from any thread."""

    def __init__(self, path: Path, timing: Timing, patience: float = RETURN_SECONDS) -> None:
        """A writer that is not there is waited for `patience` seconds."""
        self._path = path
        self._timing = timing
        self._patience = patience

    def ask(self, request: Request, *, again: bool = True) -> Done:
        """The answer to `request`, which is made `again` where its answer was lost.

        Raises: WriterGone when it stays lost; OSError that the writer met; SlotError; ReleaseError.
        """
        line, done, descriptor = self._persisting(request, TRIES if again else 1)
        line.close()
        if descriptor is not None:
            os.close(descriptor)
        return done

    def descriptor(self, request: Request) -> int:
        """The descriptor with the answer to `request`, for the caller to close. Raises: as `ask`."""
        line, _, descriptor = self.converse(request)
        line.close()
        return descriptor

    def converse(self, request: Request) -> tuple[Conversation, Done, int]:
        """A conversation that began with `request`: its answer, and a descriptor; the caller closes both.

        Raises: as `ask`.
        """
        line, done, descriptor = self._persisting(request, TRIES)
        if descriptor is None:
            line.close()
            raise SlotError("the slot writer sent no descriptor: install agent and writer anew, of one version")
        return line, done, descriptor

    def _persisting(self, request: Request, tries: int) -> tuple[Conversation, Done, int | None]:
        for _ in range(tries - 1):
            with suppress(ConnectionError):
                return self._begun(request)
        return self._begun(request)

    def _begun(self, request: Request) -> tuple[Conversation, Done, int | None]:
        line = self.connect()
        try:
            return line, *line.ask(request)
        except BaseException as error:
            line.close()
            if isinstance(error, ConnectionError):
                raise WriterGone(
                    error.errno, f"it died while it was asked to {request.__struct_config__.tag}"
                ) from error
            raise

    def connect(self) -> Conversation:
        """A connection, as soon as the writer is there. Raises: SlotError when it does not come."""
        end = self._timing.clock() + self._patience
        while True:
            try:
                return Conversation(self._path, self._timing)
            except (ConnectionError, FileNotFoundError, BlockingIOError, TimeoutError) as error:
                if self._timing.clock() >= end:
                    raise self._unreachable(error) from error
            except OSError as error:
                raise self._unreachable(error) from error
            self._timing.sleep(PAUSE_SECONDS)

    def _unreachable(self, error: OSError) -> SlotError:
        return SlotError(
            f"the slot writer at {self._path} cannot be reached: {error.strerror or error}; "
            "look at `systemctl status otabridge-slot-writer.socket`, and at who may use it"
        )


def _raised(refused: Refused) -> Exception:
    if refused.errno:
        return OSError(refused.errno, refused.text or os.strerror(refused.errno))
    if refused.code.is_refusal:
        return ReleaseRefusedByWriter(refused.text, refused.code)
    return WriterRefusal(refused.text, refused.code)
