"""The Jobs topics and the shadow of one thing as plain calls, each with a deadline, and the SDK's exceptions in one
table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from typing import Annotated, TypeVar

import msgspec
from awscrt import mqtt5
from awscrt.exceptions import AwsCrtError
from awscrt.mqtt_request_response import ClientOptions, StreamingOperation
from awsiot import ServiceStreamOptions, V2ServiceException, iotjobs, iotshadow

from adapters.aws.mqtt import AwsSettings, Notes, build_client, hint, words
from bridge.release.errors import ChannelError

Reply = TypeVar("Reply", bound=msgspec.Struct)

PASSING = frozenset({"RequestThrottled", "InternalError"})
"""Refusals that the same request may not meet again later."""
NEXT = "$next"
"""In place of a job's id: the one in progress, else the oldest in the queue, if any."""
SHADOW = "otabridge"
"""The named shadow that says what the thing is."""
DENIALS = ("SUBSCRIBE_FAILURE", "PUBLISH_FAILURE")
"""Of the SDK's names of failures: the broker did not take the request, and kept the connection."""
_SPARE = 1.0
"""Seconds that the SDK gets beyond its own deadline to report it."""


class State(msgspec.Struct, frozen=True):
    """Where the cloud says an execution stands."""

    status: str
    version_number: int | None = None
    status_details: Annotated[dict[str, str], msgspec.Meta(max_length=64)] | None = None


class Execution(msgspec.Struct, frozen=True):
    """One job of this thing. `execution_number` counts its attempts, `version_number` its changes."""

    job_id: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}\Z")]
    status: str
    version_number: int | None = None
    execution_number: int | None = None
    status_details: Annotated[dict[str, str], msgspec.Meta(max_length=64)] | None = None
    job_document: object = None


class Refused(Exception):
    """The service answered with an error; `code` as the Jobs API names it, `state` where the execution stands."""

    def __init__(self, code: str, message: str, state: State | None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.state = state


class Denied(ChannelError):
    """The broker did not let the request through; `certain` when it said that the thing may not do that."""

    def __init__(self, message: str, *, certain: bool = False) -> None:
        super().__init__(message)
        self.certain = certain


class JobsLine:
    """The thing's line to AWS IoT Jobs. It connects at `open` and reconnects by itself until `close`.

    The calls raise Refused when the service answered no, and ChannelError when it did not answer.
    """

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._notes = Notes()
        self._client: mqtt5.Client | None = None
        self._jobs: iotjobs.IotJobsClientV2 | None = None
        self._shadows: iotshadow.IotShadowClientV2 | None = None
        self._stream: StreamingOperation | None = None

    def open(self) -> None:
        """Start connecting, unless begun. Raises: ChannelError, final, when certificate or key cannot be used."""
        if self._client is not None:
            return
        self._notes = Notes()
        client = build_client(self._settings, self._notes)
        self._jobs = iotjobs.IotJobsClientV2(client, ClientOptions(4, 2, self._settings.reply_seconds))
        self._stream = self._listen(self._jobs)
        self._client = client
        client.start()

    def close(self) -> None:
        """Hang up and let go of the SDK's objects; idempotent."""
        client, self._client = self._client, None
        self._stream = self._jobs = self._shadows = None
        if client is not None:
            client.stop()
            self._notes.wait_stopped(self._settings.reply_seconds)

    @property
    def linked(self) -> bool:
        """Whether the connection stands."""
        return self._notes.linked

    def await_link(self, seconds: float) -> None:
        """Wait for the connection. Raises: ChannelError with the reason of the last failure."""
        if not self._notes.wait_linked(seconds):
            where, trouble = f"{self._settings.endpoint}:{self._settings.port}", self._notes.trouble
            who = self._settings.thing
            raise ChannelError(f"no connection to AWS IoT at {where} as {who}: {trouble.rstrip('.')}{hint(trouble)}")

    def forget_news(self) -> None:
        """From here on `await_news` waits for something new."""
        self._notes.forget()

    def await_news(self, seconds: float) -> bool:
        """Wait until the front of the queue may have changed: a notification, a new connection, a subscription."""
        return self._notes.wait_heard(seconds)

    def start_next(self) -> Execution | None:
        """StartNextPendingJobExecution: the one in progress, else the oldest in the queue, now in progress."""
        request = iotjobs.StartNextPendingJobExecutionRequest(thing_name=self._settings.thing)
        reply = self._call(lambda jobs: jobs.start_next_pending_job_execution(request))
        return _execution(getattr(reply, "execution", None))

    def describe(self, job_id: str, number: int | None) -> Execution | None:
        """DescribeJobExecution, with the document and its URLs signed anew."""
        request = iotjobs.DescribeJobExecutionRequest(
            thing_name=self._settings.thing, job_id=job_id, execution_number=number, include_job_document=True
        )
        reply = self._call(lambda jobs: jobs.describe_job_execution(request))
        return _execution(getattr(reply, "execution", None))

    def peek(self) -> None:
        """DescribeJobExecution of whatever comes next, without its document: it changes nothing, whatever there is."""
        request = iotjobs.DescribeJobExecutionRequest(
            thing_name=self._settings.thing, job_id=NEXT, include_job_document=False
        )
        self._call(lambda jobs: jobs.describe_job_execution(request))

    def update(
        self,
        job_id: str,
        status: str,
        details: Mapping[str, str],
        *,
        number: int | None = None,
        version: int | None = None,
        seconds: float | None = None,
    ) -> State | None:
        """UpdateJobExecution, refused with VersionMismatch unless the execution is at `version` (if given)."""
        request = iotjobs.UpdateJobExecutionRequest(
            thing_name=self._settings.thing,
            job_id=job_id,
            status=status,
            status_details=dict(details),
            expected_version=version,
            execution_number=number,
            include_job_execution_state=True,
        )
        reply = self._call(lambda jobs: jobs.update_job_execution(request), seconds)
        return _converted(getattr(reply, "execution_state", None), State)

    def describe_thing(self, reported: Mapping[str, object]) -> None:
        """UpdateNamedShadow: merge `reported` into what the shadow holds as reported. Raises: Denied, too.

        AWS IoT hangs up on a thing that uses a topic which its policy does not allow. Whatever of the request is still
        under way would be sent again at each new connection, and end that as well: so the client is given up then, and
        the next call makes another.
        """
        self.open()
        notes, drops = self._notes, self._notes.drops
        try:
            self._result(lambda: self._update_shadow(reported, drops), 0.0)
        except ChannelError as error:
            if notes.drops > drops:
                self.close()
                raise Denied(f"AWS IoT hung up: {notes.trouble}", certain=notes.unwelcome) from error
            if any(sign in str(error) for sign in DENIALS):
                raise Denied(str(error)) from error
            raise

    def _update_shadow(self, reported: Mapping[str, object], drops: int) -> Future[object]:
        """The answer, waited for unless the connection has gone more often than `drops`."""
        if self._shadows is None:
            self._shadows = iotshadow.IotShadowClientV2(self._client, ClientOptions(2, 1, self._settings.reply_seconds))
        state = iotshadow.ShadowState(reported=dict(reported))
        request = iotshadow.UpdateNamedShadowRequest(thing_name=self._settings.thing, shadow_name=SHADOW, state=state)
        answer: Future[object] = self._shadows.update_named_shadow(request)
        self._notes.wait_answered(answer, drops, self._settings.reply_seconds + _SPARE)
        return answer

    def _listen(self, jobs: iotjobs.IotJobsClientV2) -> StreamingOperation:
        options = ServiceStreamOptions(
            incoming_event_listener=self._notes.on_message,
            subscription_status_listener=self._notes.on_subscription,
            deserialization_failure_listener=self._notes.on_message,
        )
        request = iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=self._settings.thing)
        stream = jobs.create_next_job_execution_changed_stream(request, options)
        stream.open()
        return stream

    def _call(self, start: Callable[[iotjobs.IotJobsClientV2], Future[object]], seconds: float | None = None) -> object:
        self.open()
        return self._result(lambda: start(self._jobs), seconds or self._settings.reply_seconds + _SPARE)

    def _result(self, start: Callable[[], Future[object]], seconds: float) -> object:
        try:
            return start().result(seconds)
        except (V2ServiceException, AwsCrtError, RuntimeError, TimeoutError, CancelledError) as error:
            raise _explain(error) from error


def _execution(raw: object) -> Execution | None:
    """A hollow execution, as some emulators send for "nothing to do", is none."""
    return None if getattr(raw, "job_id", None) is None else _converted(raw, Execution)


def _converted(raw: object, kind: type[Reply]) -> Reply | None:
    if raw is None:
        return None
    try:
        return msgspec.convert(raw, kind, from_attributes=True)
    except msgspec.ValidationError as error:
        raise ChannelError(f"AWS IoT answered something unreadable: {error}") from error


def _explain(error: BaseException) -> Refused | ChannelError:
    """The one table of the SDK's exceptions."""
    modeled = getattr(error, "modeled_error", None)
    if modeled is not None:
        state = _converted(getattr(modeled, "execution_state", None), State)
        return Refused(str(modeled.code), str(modeled.message)[:256], state)
    inner = getattr(error, "inner_error", None)
    return ChannelError(f"AWS IoT did not answer: {words(inner or error)}")
