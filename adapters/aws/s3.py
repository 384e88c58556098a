"""Artifacts in S3: put once under a key that names their content, checked by S3 against the sha256 we know."""

from __future__ import annotations

import base64
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from adapters.artifact_source import checked_source
from adapters.aws.refusals import is_missing
from adapters.aws.request import object_key
from bridge.fleet import Sent
from bridge.release.manifest import Artifact

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20
SINGLE = 8 * MIB
"""Up to this length one request carries the artifact, and S3 checks its whole sha256."""
TRANSFER = TransferConfig(multipart_threshold=SINGLE, multipart_chunksize=16 * MIB, max_concurrency=4)
CONTENT_TYPE = "application/octet-stream"


class ArtifactStore:
    """One bucket. Raises what boto3 raises, and UnfitSource."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def put(self, artifact: Artifact, source: Path, sent: Sent) -> None:
        """Store `artifact`, whose bytes are in `source`, unless it is there. A failed upload leaves nothing behind."""
        key = object_key(self._prefix, artifact.sha256, artifact.name)
        if self._holds(key, artifact):
            return
        with checked_source(artifact, source) as stream:
            self._upload(key, artifact, stream, sent)

    def _holds(self, key: str, artifact: Artifact) -> bool:
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return found["ContentLength"] == artifact.length and found["Metadata"].get("sha256") == artifact.sha256

    def _upload(self, key: str, artifact: Artifact, stream: BufferedReader, sent: Sent) -> None:
        if artifact.length > SINGLE:
            extra = {
                "ChecksumAlgorithm": "SHA256",
                "ContentType": CONTENT_TYPE,
                "Metadata": {"sha256": artifact.sha256},
            }
            self._s3.upload_fileobj(stream, self._bucket, key, ExtraArgs=extra, Callback=sent, Config=TRANSFER)
            return
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=stream,
            ContentType=CONTENT_TYPE,
            ChecksumSHA256=base64.b64encode(bytes.fromhex(artifact.sha256)).decode(),
            Metadata={"sha256": artifact.sha256},
        )
        sent(artifact.length)
