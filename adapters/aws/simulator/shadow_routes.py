"""REST routes of device shadows (service `iotdata`), as programs on the cloud's side use them."""

from __future__ import annotations

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request

from adapters.aws.simulator.errors import Refusal, ServiceError
from adapters.aws.simulator.rest import Names, Operation
from adapters.aws.simulator.shadows import ShadowCall, Shadows
from adapters.aws.simulator.shapes import Json

SHADOW_ROUTES = Map(
    [
        Rule("/things/<thing>/shadow", methods=["GET"], endpoint="GetThingShadow"),
        Rule("/things/<thing>/shadow", methods=["POST"], endpoint="UpdateThingShadow"),
        Rule("/things/<thing>/shadow", methods=["DELETE"], endpoint="DeleteThingShadow"),
    ]
)
_REFUSALS = {
    400: Refusal.INVALID_REQUEST,
    404: Refusal.NOT_FOUND,
    409: Refusal.CONFLICT,
    413: Refusal.TOO_LARGE,
}


class ShadowRoutes:
    """The operations of `SHADOW_ROUTES`: the same as over MQTT."""

    def __init__(self, shadows: Shadows) -> None:
        self._shadows = shadows
        self.operations: dict[str, Operation] = {
            "GetThingShadow": lambda request, names: self._perform("get", request, names),
            "UpdateThingShadow": lambda request, names: self._perform("update", request, names),
            "DeleteThingShadow": lambda request, names: self._perform("delete", request, names),
        }

    def _perform(self, verb: str, request: Request, names: Names) -> Json:
        call = ShadowCall(names["thing"], request.args.get("name"), verb)
        verdict, body = self._shadows.answer(call, request.get_data())
        if verdict == "rejected":
            refusal = _REFUSALS.get(int(str(body["code"])), Refusal.INTERNAL)
            raise ServiceError(refusal, str(body["message"]))
        return body
