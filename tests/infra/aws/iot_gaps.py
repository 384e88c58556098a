"""Operations of AWS IoT that Terraform's provider needs and moto lacks: tags, event types, provisioning templates.

Written from the service model of AWS IoT. Tags that come with a new resource are remembered by its ARN, as moto drops
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

Answer = dict[str, object]

ROUTES = Map(
    [
        Rule("/tags", methods=["GET"], endpoint="list_tags"),
        Rule("/tags", methods=["POST"], endpoint="tag"),
        Rule("/untag", methods=["POST"], endpoint="untag"),
        Rule("/event-configurations", methods=["GET"], endpoint="describe_events"),
        Rule("/event-configurations", methods=["PATCH"], endpoint="update_events"),
        Rule("/provisioning-templates", methods=["POST"], endpoint="create_template"),
        Rule("/provisioning-templates/<name>", methods=["GET"], endpoint="describe_template"),
        Rule("/provisioning-templates/<name>", methods=["DELETE"], endpoint="delete_template"),
    ]
)
TAGGED = Map(
    [
        Rule("/policies/<name>", methods=["POST"], endpoint="policy"),
        Rule("/thing-groups/<name>", methods=["POST"], endpoint="thinggroup"),
        Rule("/rules/<name>", methods=["POST"], endpoint="rule"),
    ]
)
"""Requests that make a resource, by its kind in ARNs; moto answers them."""
EVENT_TYPES = (
    *("THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY"),
    *("THING_TYPE_ASSOCIATION", "JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE"),
)


class NoTemplate(Exception):
    """There is no provisioning template of that name."""


class IotGaps:
    """The operations, and what they keep, of one account and region; `place` begins its ARNs."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._tags: dict[str, dict[str, str]] = {}
        self._events = dict.fromkeys(EVENT_TYPES, False)
        self._templates: dict[str, Answer] = {}

    def answer(self, request: Request) -> Response | None:
        """The answer; None where moto has one."""
        self._note_tags(request)
        try:
            operation, names = ROUTES.bind_to_environ(request.environ).match()
        except HTTPException:
            return None
        try:
            answer = getattr(self, f"_{operation}")(request, **names)
        except NoTemplate:
            refusal = {"message": "The provisioning template does not exist"}
            headers = {"x-amzn-ErrorType": "ResourceNotFoundException"}
            return Response(json.dumps(refusal), 404, headers, content_type="application/json")
        return Response(json.dumps(answer), content_type="application/json")

    @property
    def events(self) -> Mapping[str, bool]:
        """The event types, and whether each is published."""
        return self._events

    def _note_tags(self, request: Request) -> None:
        try:
            kind, names = TAGGED.bind_to_environ(request.environ).match()
        except HTTPException:
            return
        in_header = dict(parse_qsl(request.headers.get("x-amz-tagging", "")))
        self._tags[f"{self._place}:{kind}/{names['name']}"] = in_header or _pairs(_body(request))

    def _list_tags(self, request: Request) -> Answer:
        held = self._tags.get(request.args["resourceArn"], {})
        return {"tags": [{"Key": key, "Value": value} for key, value in held.items()]}

    def _tag(self, request: Request) -> Answer:
        body = _body(request)
        self._tags.setdefault(body["resourceArn"], {}).update(_pairs(body))
        return {}

    def _untag(self, request: Request) -> Answer:
        body = _body(request)
        for key in body["tagKeys"]:
            self._tags.get(body["resourceArn"], {}).pop(key, None)
        return {}

    def _describe_events(self, _request: Request) -> Answer:
        return {"eventConfigurations": {name: {"Enabled": on} for name, on in self._events.items()}}

    def _update_events(self, request: Request) -> Answer:
        """A member that is false may be left out of the request."""
        for name, wish in _body(request)["eventConfigurations"].items():
            self._events[name] = wish.get("Enabled", False)
        return {}

    def _create_template(self, request: Request) -> Answer:
        body = _body(request)
        name = body["templateName"]
        made = {"templateArn": f"{self._place}:provisioningtemplate/{name}", "templateName": name}
        defaults = {"enabled": False, "type": "FLEET_PROVISIONING"}
        self._templates[name] = {**defaults, **body, **made, "defaultVersionId": 1}
        self._tags[made["templateArn"]] = _pairs(body)
        return {**made, "defaultVersionId": 1}

    def _describe_template(self, _request: Request, name: str) -> Answer:
        if name not in self._templates:
            raise NoTemplate
        return {key: value for key, value in self._templates[name].items() if key != "tags"}

    def _delete_template(self, _request: Request, name: str) -> Answer:
        if self._templates.pop(name, None) is None:
            raise NoTemplate
        return {}


def _body(request: Request):
    return json.loads(request.get_data() or b"{}")


def _pairs(body) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in body.get("tags") or ()}
