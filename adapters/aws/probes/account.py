"""The account and region that are probed: clients that fail fast, who asks, and names that nothing has."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from adapters.aws.refusals import explained
from adapters.aws.request import object_key, partition
from adapters.aws.settings import AwsFleetSettings
from bridge.names import PREFIX

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_s3 import S3Client

NOWHERE = f"{PREFIX}check-no-such"
"""A job, a group and a thing that are not there; the policies that name ours cover it."""


class Account:
    """Where the fleet `fleet` is, as its settings say. Nothing is called before the first use."""

    def __init__(self, fleet: str, settings: AwsFleetSettings) -> None:
        self.fleet = fleet
        self.settings = settings

    @cached_property
    def iot(self) -> IoTClient:
        """AWS IoT."""
        return self._session.client("iot", endpoint_url=self.settings.endpoint_url, config=self._config)

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        return self._session.client("s3", endpoint_url=self.settings.endpoint_url, config=self._config)

    @cached_property
    def iam(self) -> Any:  # noqa: ANN401 - boto3 makes it at run time, and there are no stubs of IAM here
        """IAM."""
        return self._session.client("iam", config=self._config)

    @cached_property
    def kms(self) -> Any:  # noqa: ANN401 - as for IAM
        """The key service."""
        return self._session.client("kms", config=self._config)

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401 - as for IAM
        """Queues."""
        return self._session.client("sqs", config=self._config)

    @cached_property
    def cloudwatch(self) -> Any:  # noqa: ANN401 - as for IAM
        """Dashboards and alarms."""
        return self._session.client("cloudwatch", config=self._config)

    @cached_property
    def caller(self) -> str:
        """The ARN of who asks; no permission is needed for it. Raises: FleetError, AWS does not know them."""
        with explained(self.fleet):
            return str(self._session.client("sts", config=self._config).get_caller_identity()["Arn"])

    @property
    def account(self) -> str:
        """The twelve digits of the account of who asks. Raises: FleetError."""
        return self.caller.split(":")[4]

    @property
    def principal(self) -> str:
        """The user or role whose policies count for who asks. Raises: FleetError.

        The session of a role is named without the role's path, so for a role with one this names another, or none.
        """
        kind, _, rest = self.caller.split(":", 5)[5].partition("/")
        if kind != "assumed-role":
            return self.caller
        return f"arn:{self._partition}:iam::{self.account}:role/{rest.partition('/')[0]}"

    def iot_arn(self, resource: str) -> str:
        """The ARN of something in AWS IoT, such as job/x. Raises: FleetError."""
        return f"arn:{self._partition}:iot:{self.settings.region}:{self.account}:{resource}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something of another service in this account and region. Raises: FleetError."""
        return f"arn:{self._partition}:{service}:{self.settings.region}:{self.account}:{resource}"

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:{self._partition}:s3:::{self.settings.bucket}"

    @property
    def objects_arn(self) -> str:
        """The ARN of all that lies below the prefix."""
        return f"{self.bucket_arn}/{object_key(self.settings.prefix, '*', '')}"

    @property
    def key(self) -> str:
        """Where in the bucket nothing is, below the prefix."""
        return object_key(self.settings.prefix, NOWHERE, "")

    @property
    def _partition(self) -> str:
        return partition(self.settings.region)

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(profile_name=self.settings.profile, region_name=self.settings.region)

    @property
    def _config(self) -> Config:
        return Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            connect_timeout=10,
            read_timeout=30,
            user_agent_extra="otabridge-check",
            s3={"addressing_style": "path" if self.settings.endpoint_url else "auto"},
        )
