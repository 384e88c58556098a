"""Signing of digests and dry runs, which moto's KMS lacks: it hashes what is a hash already, and signs though it should
only look (service model of KMS, Sign).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from moto.kms.models import KmsBackend
from werkzeug.wrappers import Request, Response

ALGORITHM = "ECDSA_SHA_256"


class KmsGaps:
    """The keys of one account and region, as moto keeps them: anew after each reset."""

    def __init__(self, backend: Callable[[], KmsBackend]) -> None:
        self._backend = backend
        self.denied: set[str] = set()
        """ARNs of keys whose policies deny signing to who asks."""

    def answer(self, request: Request) -> Response | None:
        """The signature of a digest; None where moto has the answer."""
        body = json.loads(request.get_data() or b"{}")
        signs = request.headers.get("X-Amz-Target", "").endswith(".Sign")
        if not signs or (body.get("MessageType"), body.get("SigningAlgorithm")) != ("DIGEST", ALGORITHM):
            return None
        backend = self._backend()
        key = backend.describe_key(backend.any_id_to_key_id(body["KeyId"]))
        if key.arn in self.denied:
            return _refusal("AccessDeniedException", f"not authorized to perform: kms:Sign on resource: {key.arn}", 400)
        if body.get("DryRun"):
            said = "The request would have succeeded, but the DryRun option is set."
            return _refusal("DryRunOperationException", said, 412)
        digest = base64.b64decode(body["Message"])
        signature = key.private_key.private_key.sign(digest, ECDSA(Prehashed(SHA256())))
        answer = {"KeyId": key.arn, "Signature": base64.b64encode(signature).decode(), "SigningAlgorithm": ALGORITHM}
        return Response(json.dumps(answer), content_type="application/x-amz-json-1.1")


def _refusal(code: str, message: str, status: int) -> Response:
    body = json.dumps({"__type": code, "message": message})
    return Response(body, status, content_type="application/x-amz-json-1.1")
