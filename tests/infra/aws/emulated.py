"""An AWS that Terraform's provider can apply to, and otabridge and a device's agent can work with afterwards: the
simulator of this project, which has the life of jobs, over moto, with what moto lacks.

It speaks TLS, as AWS does: the module's bucket policies refuse everything else.

    with emulated_aws(folder) as aws:
        aws.environment()       # for Terraform, boto3 and otabridge alike
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.kms.models import kms_backends
from moto.s3.models import FakeBucket
from werkzeug.wrappers import Request, Response

from adapters.aws.simulator.simulator import AwsSimulator
from tests.infra.aws.iot_gaps import IotGaps
from tests.infra.aws.kms_gaps import KmsGaps
from tests.infra.aws.sqs_gaps import SqsGaps

WITH_POLICIES_OF_AWS = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
"""moto knows AWSIoTThingsRegistration only then."""
PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}
"""The condition of a statement that no request over TLS meets."""


class EmulatedAws(AwsSimulator):
    """One account and region over TLS. `iot`, `kms` and `sqs` are what stands before moto."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, tls=True)
        self.iot = IotGaps(f"arn:aws:iot:{self.region}:{self.account}")
        self.sqs = SqsGaps()
        self.kms = KmsGaps(lambda: kms_backends[self.account][self.region])

    def _front(self, plane):
        front = super()._front(plane)

        def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            match _service(environ):
                case "iot":
                    return (self.iot.answer(_buffered(environ)) or front)(environ, start)
                case "kms":
                    return (self.kms.answer(_buffered(environ)) or front)(environ, start)
                case "sqs":
                    return self._queues(_buffered(environ), front)(environ, start)
            return front(environ, start)

        return application

    def _queues(self, request: Request, front) -> Response:
        _set_body(request.environ, self.sqs.without(request))
        response = Response.from_app(front, request.environ, buffered=True)
        self.sqs.complete(request, response)
        return response


@contextmanager
def emulated_aws(folder: Path) -> Iterator[EmulatedAws]:
    """A running one; its certificates lie in `folder`."""
    with (
        patch.dict("os.environ", WITH_POLICIES_OF_AWS),
        patch.object(FakeBucket, "get_permission", _permission_over_tls),
        EmulatedAws(folder) as aws,
    ):
        yield aws


def _permission_over_tls(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """moto takes a statement whose condition does not hold for a denial: so without those for plain HTTP alone."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    policy["Statement"] = [each for each in policy["Statement"] if each.get("Condition") != PLAIN_HTTP]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def _service(environ: WSGIEnvironment) -> str:
    """The service that the request was signed for."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    return scope[-2] if len(scope) > 1 else ""


def _buffered(environ: WSGIEnvironment) -> Request:
    """The request with its body, which whoever comes next can read once more."""
    request = Request(environ)
    _set_body(environ, request.get_data())
    return request


def _set_body(environ: WSGIEnvironment, body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
