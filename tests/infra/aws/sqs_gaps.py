"""Attributes of queues that moto lacks or respells: RedriveAllowPolicy, and RedrivePolicy as it was set.

SQS gives JSON back without spaces, and Terraform waits until it reads what it wrote.
"""

from __future__ import annotations

import json

from werkzeug.wrappers import Request, Response

ALLOW = "RedriveAllowPolicy"
REDRIVE = "RedrivePolicy"
OK = 200


class SqsGaps:
    """The allow policies of one account's queues, by their URLs."""

    def __init__(self) -> None:
        self._allowed: dict[str, str] = {}

    def without(self, request: Request) -> bytes:
        """The request's body without the attribute that moto does not know; what was set of it is kept."""
        body = json.loads(request.get_data())
        attributes = body.get("Attributes")
        if isinstance(attributes, dict) and ALLOW in attributes:
            self._allowed[body["QueueUrl"]] = attributes.pop(ALLOW)
        if "AttributeNames" in body:
            body["AttributeNames"] = [name for name in body["AttributeNames"] if name != ALLOW]
        return json.dumps(body).encode()

    def complete(self, request: Request, response: Response) -> None:
        """Add what `without` kept to the answer of GetQueueAttributes, and take spaces out of its JSON."""
        asked = json.loads(request.get_data())
        if not request.headers.get("X-Amz-Target", "").endswith(".GetQueueAttributes") or response.status_code != OK:
            return
        answer = json.loads(response.get_data())
        attributes = answer.setdefault("Attributes", {})
        if {ALLOW, "All"} & set(asked.get("AttributeNames", ())) and self._allowed.get(asked["QueueUrl"]):
            attributes[ALLOW] = self._allowed[asked["QueueUrl"]]
        if REDRIVE in attributes:
            attributes[REDRIVE] = json.dumps(json.loads(attributes[REDRIVE]), separators=(",", ":"))
        response.set_data(json.dumps(answer))
