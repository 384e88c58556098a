"""The MQTT 5 connection of one thing to AWS IoT Core, with its device certificate, by AWS's own SDK.

The SDK calls back on its own thread, where waiting would dead-lock it. `Notes` only writes down what happened; every
wait is in the caller's thread and has a deadline of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import msgspec
from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError
from awscrt.mqtt_request_response import SubscriptionStatusEventType
from awsiot import mqtt5_client_builder

from bridge.release.errors import ChannelError

_log = logging.getLogger(__name__)

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class AwsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a device reaches AWS IoT Core.

    `endpoint` is the account's device data endpoint (`iot:Data-ATS`), `thing` also the client id. `certificate_file`,
    `key_file` and `ca_file` are PEM; without `ca_file` the system's trust store judges the server. `flow_control` keeps
    to the rates of AWS IoT Core (100 publishes a second); an emulator needs none.
    """

    endpoint: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z")]
    thing: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9:_-]{1,128}\Z")]
    certificate_file: PathText
    key_file: PathText
    ca_file: PathText | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8883
    keep_alive_seconds: Annotated[int, msgspec.Meta(ge=31, le=1200)] = 300
    session_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 3600
    reconnect_seconds: Seconds = 1.0
    """Wait before the first try to reconnect; it doubles, with full jitter, up to `reconnect_most_seconds`."""
    reconnect_most_seconds: Seconds = 128.0
    flow_control: bool = True
    reply_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30
    """How long one request may take."""
    report_state: bool = True
    """Whether to tell the named shadow what this device is; the certificate's policy must allow it."""
    progress_seconds: Seconds = 5.0
    """How long a sign of life may hold the agent up."""
    ask_again_seconds: Seconds = 3600.0
    """How often to ask without having been told that there is something: notifications can be lost."""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 6
    backoff_seconds: Seconds = 2.0
    """Mean of the first wait times two; it doubles up to `backoff_most_seconds`."""
    backoff_most_seconds: Seconds = 64.0


HINTS = MappingProxyType(
    {
        "TLS_ERROR": ". Is this the right endpoint, does `ca_file` hold its CA, and is the device's clock right?",
        "SOCKET_CLOSED": ". AWS IoT hangs up on a certificate that is expired, not active or without a policy",
        "NOT_AUTHORIZED": ". The certificate's policy must allow iot:Connect as this thing",
    }
)
"""By a part of the SDK's own name of the failure."""


class Notes:
    """What the SDK's callbacks saw, for the thread that waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._linked = False
        self._heard = False
        self._stopped = False
        self._trouble = "no answer yet"
        self._drops = 0
        self._unwelcome = False

    def on_connected(self, _: object) -> None:
        """Noted: the connection stands."""
        self._note(linked=True, heard=True)

    def on_refused(self, data: mqtt5.LifecycleConnectFailureData) -> None:
        """Noted: a try to connect failed."""
        self._note(trouble=words(data.exception))

    def on_dropped(self, data: mqtt5.LifecycleDisconnectData) -> None:
        """Noted: the connection is gone."""
        packet = data.disconnect_packet
        unwelcome = packet is not None and packet.reason_code == mqtt5.DisconnectReasonCode.NOT_AUTHORIZED
        self._note(linked=False, trouble=words(data.exception), drops=self._drops + 1, unwelcome=unwelcome)

    def on_stopped(self, _: object) -> None:
        """Noted: the client is at rest."""
        self._note(linked=False, stopped=True)

    def on_message(self, _: object) -> None:
        """Noted: a notification came, readable or not."""
        self._note(heard=True)

    def on_subscription(self, event: object) -> None:
        """Noted: notifications come from now on, or never will."""
        kind = getattr(event, "type", None)
        if kind == SubscriptionStatusEventType.SUBSCRIPTION_HALTED:
            _log.warning("AWS IoT refused the subscription to jobs/notify-next: allow iot:Subscribe and iot:Receive")
        if kind != SubscriptionStatusEventType.SUBSCRIPTION_LOST:
            self._note(heard=True)

    @property
    def linked(self) -> bool:
        """Whether the connection stands."""
        with self._changed:
            return self._linked

    @property
    def drops(self) -> int:
        """How often the connection has gone."""
        with self._changed:
            return self._drops

    @property
    def unwelcome(self) -> bool:
        """Whether the connection last went because the thing did what it may not."""
        with self._changed:
            return self._unwelcome

    @property
    def trouble(self) -> str:
        """Why it last failed to."""
        with self._changed:
            return self._trouble

    def forget(self) -> None:
        """From here on `wait_heard` waits for something new."""
        with self._changed:
            self._heard = False

    def wait_linked(self, seconds: float) -> bool:
        """Whether the connection stood within `seconds`."""
        return self._wait(lambda: self._linked, seconds)

    def wait_heard(self, seconds: float) -> bool:
        """Whether the queue may have changed within `seconds`."""
        return self._wait(lambda: self._heard, seconds)

    def wait_answered(self, answer: Future[object], drops: int, seconds: float) -> None:
        """Wait up to `seconds` for `answer`, and no longer once the connection has gone more often than `drops`."""
        answer.add_done_callback(lambda _: self._note())
        self._wait(lambda: answer.done() or self._drops > drops, seconds)

    def wait_stopped(self, seconds: float) -> bool:
        """Whether the client came to rest within `seconds`."""
        return self._wait(lambda: self._stopped, seconds)

    def _wait(self, met: Callable[[], bool], seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(met, max(0.0, seconds))

    def _note(self, **seen: object) -> None:
        with self._changed:
            for name, value in seen.items():
                setattr(self, f"_{name}", value)
            self._changed.notify_all()


def build_client(settings: AwsSettings, notes: Notes) -> mqtt5.Client:
    flow = mqtt5.ExtendedValidationAndFlowControlOptions
    try:
        return mqtt5_client_builder.mtls_from_bytes(
            _read("certificate_file", settings.certificate_file),
            _read("key_file", settings.key_file),
            ca_bytes=None if settings.ca_file is None else _read("ca_file", settings.ca_file),
            endpoint=settings.endpoint,
            port=settings.port,
            client_id=settings.thing,
            keep_alive_interval_sec=settings.keep_alive_seconds,
            session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_POST_SUCCESS,
            session_expiry_interval_sec=settings.session_seconds,
            min_reconnect_delay_ms=int(settings.reconnect_seconds * 1000),
            max_reconnect_delay_ms=int(settings.reconnect_most_seconds * 1000),
            retry_jitter_mode=mqtt5.ExponentialBackoffJitterMode.FULL,
            extended_validation_and_flow_control_options=(
                flow.AWS_IOT_CORE_DEFAULTS if settings.flow_control else flow.NONE
            ),
            enable_metrics_collection=False,
            on_lifecycle_connection_success=notes.on_connected,
            on_lifecycle_connection_failure=notes.on_refused,
            on_lifecycle_disconnection=notes.on_dropped,
            on_lifecycle_stopped=notes.on_stopped,
        )
    except (AwsCrtError, RuntimeError) as error:  # the native part raises RuntimeError for what it cannot read
        raise ChannelError(
            f"channel: certificate {settings.certificate_file}, key {settings.key_file} or ca {settings.ca_file} "
            f"is not usable PEM: {words(error)}",
            retryable=False,
        ) from error


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ChannelError(f"channel: {name} {path}: {error.strerror}", retryable=False) from error


def hint(trouble: str) -> str:
    """What to look at after a failure to connect, where the failure itself does not say."""
    return next((advice for sign, advice in HINTS.items() if sign in trouble), "")


def words(error: BaseException) -> str:
    """An exception of the SDK in one line."""
    if isinstance(error, AwsCrtError):
        return f"{error.name}: {error.message}"
    return str(error)[:256] or type(error).__name__
