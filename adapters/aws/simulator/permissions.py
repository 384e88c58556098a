"""Permissions in what moto serves, and IAM's own simulation of them: who asks may everything that no fault denies."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from adapters.aws.simulator.objects import place_of, s3_error
from adapters.simulation.faults import Effect, Faults

_REGISTRY = Map(
    [
        Rule("/things", methods=["GET"], endpoint="ListThings"),
        Rule("/things/<thing>", methods=["GET"], endpoint="DescribeThing"),
        Rule("/thing-groups", methods=["GET"], endpoint="ListThingGroups"),
        Rule("/thing-groups/<group>", methods=["GET"], endpoint="DescribeThingGroup"),
        Rule("/thing-groups/<group>/things", methods=["GET"], endpoint="ListThingsInThingGroup"),
        Rule("/thing-groups/addThingToThingGroup", methods=["PUT"], endpoint="AddThingToThingGroup"),
    ]
)
_PARTS = {"PUT": "PutObject", "POST": "PutObject", "DELETE": "AbortMultipartUpload"}
"""What the requests of an upload in parts need."""
_MAX_FORM = 64 * 1024
_SIMULATES = "SimulatePrincipalPolicy"


class Permissions:
    """What Effect.DENY refuses: operations of the registry, actions of S3, and those that IAM is asked about."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def refusal(self, request: Request, service: str) -> Response | None:
        """The answer instead of moto's; None where moto is to answer."""
        match service:
            case "iot":
                return self._registry(request)
            case "s3":
                return self._storage(request)
            case "iam":
                return self._roles(request)
        return None

    def _registry(self, request: Request) -> Response | None:
        try:
            operation, names = _REGISTRY.bind_to_environ(request.environ).match()
        except HTTPException:
            return None
        if not self._denies(operation, next(iter(names.values()), "")):
            return None
        body = f'{{"message": "{denial("iot", operation)}"}}'
        headers = {"x-amzn-ErrorType": "AccessDeniedException"}
        return Response(body, 403, headers, content_type="application/json")

    def _storage(self, request: Request) -> Response | None:
        place, action = place_of(request), _action(request)
        if not self._denies(action, f"{place.bucket}/{place.key}"):
            return None
        return s3_error(403, "AccessDenied", denial("s3", action))

    def _roles(self, request: Request) -> Response | None:
        """SimulatePrincipalPolicy, which moto does not play; `subject` of a fault is the ARN of the resource."""
        request.max_content_length = _MAX_FORM
        octets = request.get_data()
        request.environ["wsgi.input"] = BytesIO(octets)
        form = {name: values[0] for name, values in parse_qs(octets.decode()).items()}
        if form.get("Action") != _SIMULATES:
            return None
        if self._denies(_SIMULATES, form.get("PolicySourceArn", "")):
            return _iam_error(403, "AccessDenied", denial("iam", _SIMULATES))
        action, resource = form.get("ActionNames.member.1", ""), form.get("ResourceArns.member.1", "*")
        denied = self._denies(action.partition(":")[2], resource)
        return _decision(action, resource, "implicitDeny" if denied else "allowed")

    def _denies(self, operation: str, subject: str) -> bool:
        fault = self._faults.take(operation, subject)
        return fault is not None and fault.effect is Effect.DENY


def denial(service: str, action: str) -> str:
    """What AWS tells somebody who may not."""
    return (
        f"User: arn:aws:iam::123456789012:user/somebody is not authorized to perform: {service}:{action} because no "
        f"identity-based policy allows the {service}:{action} action"
    )


def _action(request: Request) -> str:
    """The permission that a request to S3 needs."""
    if "uploads" in request.args or "uploadId" in request.args:
        return _PARTS.get(request.method, "ListMultipartUploadParts")
    if not place_of(request).key:
        return "ListBucket"
    return "GetObject" if request.method in ("GET", "HEAD") else "PutObject"


def _decision(action: str, resource: str, decision: str) -> Response:
    result = (
        f"<EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision>"
    )
    return _xml(
        f"<{_SIMULATES}Response><{_SIMULATES}Result><IsTruncated>false</IsTruncated><EvaluationResults><member>"
        f"{result}</member></EvaluationResults></{_SIMULATES}Result></{_SIMULATES}Response>"
    )


def _iam_error(status: int, code: str, message: str) -> Response:
    words = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return _xml(f"<ErrorResponse><Error>{words}</Error></ErrorResponse>", status)


def _xml(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type="text/xml")
