"""boto3 clients of the simulator, with credentials of its own."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

import boto3
from botocore.client import BaseClient
from botocore.config import Config

ACCESS_KEY = "otabridge-simulator"
SECRET_KEY = "not-a-secret"  # noqa: S105 - the simulator's own, good for loopback only
_S3_CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "path"})
_session_lock = threading.Lock()  # making clients of one session is not thread-safe


def make_client(service: str, region: str, endpoint_url: str, ca_file: Path) -> BaseClient:
    """A client of one service."""
    with _session_lock:
        made: BaseClient = _shared_session().client(
            service,  # type: ignore[call-overload]  # stubs know services by literal name only
            region_name=region,
            endpoint_url=endpoint_url,
            verify=str(ca_file),
            config=_S3_CONFIG if service == "s3" else None,
        )
    return made


@functools.cache
def _shared_session() -> boto3.Session:
    """One session a process: it reads and keeps the large service models."""
    return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
