"""Probes of the artifacts' bucket. Writing is proven by an upload in parts that is given up again: it needs the same
permissions as an artifact, those on the bucket's key among them, and no object ever comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from adapters.aws.probes.account import Account
from adapters.aws.probes.answers import Permission, judged
from adapters.aws.refusals import NOT_FOUND, code_of
from bridge.probing import Duty, Finding, Found

LOOKS = frozenset({Duty.CONTROLLER, Duty.PUBLISHER})
STORES = frozenset({Duty.PUBLISHER})
VARIABLE = "artifact_bucket_name"
NO_BUCKET = frozenset({*NOT_FOUND, "NoSuchBucket"})
NO_UPLOAD = frozenset({"NoSuchUpload"})
ELSEWHERE = frozenset(
    {"301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
"""Codes of a bucket of another region."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket is there, in the fleet's region, and may be looked into."""

    account: Account
    name: str = "s3:ListBucket"
    tried: str = "look whether the bucket is there"
    duties: frozenset[Duty] = LOOKS

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at, regions = self.account, list[str]()
        permission = Permission(self.name, at.bucket_arn, duty)
        finding = judged(at.fleet, lambda: regions.append(self._region()), permission, ())
        if finding.found is Found.OK and regions[0] != at.settings.region:
            return _wrong(f"the bucket is {regions[0]}, the fleet is in {at.settings.region}", at)
        return finding

    def _region(self) -> str:
        """Where it is; another word for its absence. Raises: ClientError."""
        try:
            found = self.account.s3.head_bucket(Bucket=self.account.settings.bucket)
        except ClientError as error:
            if code_of(error) in NO_BUCKET:
                return "not there"
            if code_of(error) in ELSEWHERE:
                return "in another region"
            raise
        return str(found.get("BucketRegion") or self.account.settings.region)


def _wrong(said: str, at: Account) -> Finding:
    return Finding(Found.MISSING, said, f"bucket {at.bucket_arn} in {at.settings.region}", VARIABLE)


@dataclass(frozen=True, slots=True)
class Reading:
    """Objects below the prefix may be read, which tells artifacts that are there already."""

    account: Account
    name: str = "s3:GetObject"
    tried: str = "look for an object that is not there"
    duties: frozenset[Duty] = LOOKS

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        permission = Permission(self.name, at.objects_arn, duty)
        return judged(at.fleet, lambda: at.s3.head_object(Bucket=at.settings.bucket, Key=at.key), permission, NOT_FOUND)


@dataclass(slots=True)
class Upload:
    """An upload in parts that was begun, until it is given up."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Writing:
    """Objects below the prefix may be written, encrypted as the bucket wants it."""

    account: Account
    upload: Upload
    name: str = "s3:PutObject"
    tried: str = "begin an upload of two bytes, which the next probe gives up"
    duties: frozenset[Duty] = STORES

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        return judged(self.account.fleet, self._begin, Permission(self.name, self.account.objects_arn, duty))

    def _begin(self) -> None:
        s3, bucket, key = self.account.s3, self.account.settings.bucket, self.account.key
        begun = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")
        self.upload.id = begun["UploadId"]
        s3.upload_part(
            Bucket=bucket, Key=key, UploadId=self.upload.id, PartNumber=1, Body=b"ok", ChecksumAlgorithm="SHA256"
        )


@dataclass(frozen=True, slots=True)
class GivingUp:
    """An upload that failed may be given up, so that it costs nothing."""

    account: Account
    upload: Upload
    name: str = "s3:AbortMultipartUpload"
    tried: str = "give that upload up"
    duties: frozenset[Duty] = STORES

    def run(self, duty: Duty) -> Finding:
        """See Probe."""
        at = self.account
        if not self.upload.id:
            return Finding(Found.UNKNOWN, "there was no upload to give up")
        return judged(at.fleet, self._abort, Permission(self.name, at.objects_arn, duty), NO_UPLOAD)

    def _abort(self) -> None:
        settings = self.account.settings
        self.account.s3.abort_multipart_upload(Bucket=settings.bucket, Key=self.account.key, UploadId=self.upload.id)
