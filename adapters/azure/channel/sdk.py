"""azure-iot-device at its edge: calls with a deadline, its exceptions in one table, its noise kept down.

The SDK's calls have no deadlines: a request whose answer is lost waits for ever. Each is given one here. As the SDK's
own threads and timers are begun by ours, they are daemons as those are, and none keeps the process from ending.
"""

from __future__ import annotations

import base64
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from azure.iot.device import X509
from azure.iot.device.common.pipeline.pipeline_exceptions import OperationCancelled
from azure.iot.device.common.pipeline.pipeline_thread import invoke_on_pipeline_thread

from adapters.azure.channel.deadline import settle
from adapters.azure.channel.settings import AzureSettings
from bridge.release.errors import ChannelError

Answer = TypeVar("Answer")

TOO_MANY = 429
SERVER_FAULT = 500
PASSING_STATUS = frozenset({408, TOO_MANY})

_MAX_WORDS = 256
_MAX_CHAIN = 8
_STATUS = re.compile(r"status(?: code)? (\d{3})\b")
_NOISE = r"ssl\.PROTOCOL_TLSv1_2 is deprecated"
_NOISY = r"azure\.iot\.device\.common\.(http|mqtt)_transport"
_SDK = "azure.iot.device"


class IdentityRefused(ChannelError):
    """Hub or enrolment do not take this device, or not with what it shows."""


class Declined(ChannelError):
    """Answered with a status of HTTP; final unless it is one of those that pass."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, retryable=status in PASSING_STATUS or status >= SERVER_FAULT)
        self.status = status


HINTS = {
    "UnauthorizedError": "it does not let this device in: unknown or disabled there, or another key or certificate "
    "than it expects, or an expired one; with a key, the device's clock must be right",
    "TlsExchangeAuthError": "its certificate is not trusted: `ca_file` must hold its CA (without one the system's "
    "trust store must), and the device's clock must be right",
    "ProtocolProxyError": "the proxy does not connect us",
    "ConnectionFailedError": "no connection; is it reachable on this port, and does it trust the CA of this device's "
    "certificate?",
    "ConnectionDroppedError": "the connection dropped",
    "NoConnectionError": "there is no connection",
    "OperationTimeout": "no answer within the SDK's own time",
}
"""What a failure of the SDK's means, by the name of an exception in its chain; the first of these that is there."""


def ask(act: Callable[[], Answer], seconds: float, where: str) -> Answer:
    """What `act` gives, which calls the SDK.

    Raises: Overdue after `seconds`; IdentityRefused, Declined, ChannelError by the table below.
    """
    answer = settle(act, seconds, where)
    error = answer.exception()
    if isinstance(error, ChannelError):
        raise error
    if error is not None:
        raise explain(error, where) from error
    return answer.result()


def explain(error: BaseException, where: str) -> ChannelError:
    """The one table of the SDK's exceptions."""
    chain = list(_chain(error))
    status = next((int(match[1]) for each in chain if (match := _STATUS.search(str(each)))), None)
    if status in {401, 403}:
        return IdentityRefused(f"{where}: {HINTS['UnauthorizedError']} (status {status})")
    if status is not None:
        return Declined(f"{where}: answered with status {status}", status)
    names = {type(each).__name__ for each in chain}
    hint = next((text for name, text in HINTS.items() if name in names), "the SDK failed")
    kind = IdentityRefused if is_refusal(error) else ChannelError
    return kind(f"{where}: {hint} ({_words(chain[-1])})")


def is_refusal(error: BaseException) -> bool:
    """Whether `error` says that the device's own identity was not accepted; the SDK does not try again then."""
    return any(type(each).__name__ == "UnauthorizedError" for each in _chain(error))


def is_drop(error: BaseException) -> bool:
    """Whether `error` says that a connection that stood has dropped; the SDK mends it by itself."""
    return any(type(each).__name__ == "ConnectionDroppedError" for each in _chain(error))


def quieten() -> None:
    """Keep the SDK from telling the terminal what it tells us anyway; a level that somebody set stays."""
    logger = logging.getLogger(_SDK)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    # 2.14 asks for TLS 1.2 by a constant that Python wishes to drop: nothing that a user of it could change.
    warnings.filterwarnings("ignore", _NOISE, DeprecationWarning, module=_NOISY)


def let_go(client: object) -> None:
    """End the requests of a client that has been shut down. The SDK forgets them there: each would keep a thread that
    waits for its answer, and with it the client and its sockets, as long as the process lives. It has no public way.
    """
    cancel = invoke_on_pipeline_thread(_cancel)  # type: ignore[no-untyped-call]
    stage = getattr(getattr(client, "_mqtt_pipeline", None), "_pipeline", None)
    while stage is not None:
        cancel(getattr(stage, "pending_responses", {}))
        stage = stage.next


def certificate(settings: AzureSettings) -> X509 | None:
    """The device's certificate, if it shows one. Raises: ChannelError, final, naming the file."""
    if settings.certificate_file is None or settings.key_file is None:
        return None
    _read("certificate_file", settings.certificate_file)
    _read("key_file", settings.key_file)
    return X509(settings.certificate_file, settings.key_file)  # type: ignore[no-untyped-call]


def symmetric_key(settings: AzureSettings) -> str:
    """The device's key as text. Raises: ChannelError, final, naming the file, never its content."""
    path = settings.symmetric_key_file or ""
    text = _read("symmetric_key_file", path).strip()
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ChannelError(f"channel: symmetric_key_file {path} does not hold a key in base64", retryable=False)
    return text


def authorities(settings: AzureSettings) -> str | None:
    """PEM text of the CA of hub and enrolment. Raises: ChannelError, final, naming the file."""
    return None if settings.ca_file is None else _read("ca_file", settings.ca_file)


def unusable(settings: AzureSettings, error: Exception) -> ChannelError:
    """For credentials that the SDK cannot make a client of."""
    shown = settings.certificate_file or settings.symmetric_key_file
    ca = settings.ca_file
    return ChannelError(f"channel: {shown}, its key or ca {ca} is not usable: {_words(error)}", retryable=False)


def _cancel(requests: dict[str, Any]) -> None:
    while requests:
        _, request = requests.popitem()
        request.complete(error=OperationCancelled("the client was given up"))


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _words(error: BaseException) -> str:
    return str(error)[:_MAX_WORDS] or type(error).__name__


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise ChannelError(f"channel: {name} {path}: {error.strerror}", retryable=False) from error
    except UnicodeDecodeError as error:
        raise ChannelError(f"channel: {name} {path} is not text", retryable=False) from error
