"""How single devices ended: a job's executions, and what devices said in their statusDetails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Literal

from adapters.aws.groups import PAGE
from bridge.fleet import DeviceReport
from bridge.release.details import parse_details
from bridge.release.report import Outcome, Progress, Report

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient

BAD: tuple[Literal["FAILED", "REJECTED", "TIMED_OUT"], ...] = ("FAILED", "REJECTED", "TIMED_OUT")
OUTCOMES: Mapping[str, Outcome] = {"FAILED": Outcome.FAILED, "REJECTED": Outcome.REJECTED}


class Executions:
    """The executions of jobs, `most` of one job at most. Raises what boto3 raises."""

    def __init__(self, iot: IoTClient, most: int) -> None:
        self._iot = iot
        self._most = most

    def bad(self, name: str) -> Iterator[DeviceReport]:
        """Those of the job `name` that did not install; one call for each."""
        return islice(self._bad(name), self._most)

    def _bad(self, name: str) -> Iterator[DeviceReport]:
        listing = self._iot.get_paginator("list_job_executions_for_job")
        for status in BAD:
            pages = listing.paginate(jobId=name, status=status, PaginationConfig={"PageSize": PAGE})
            for summary in (summary for page in pages for summary in page["executionSummaries"]):
                thing = summary["thingArn"].rpartition(":thing/")[2]
                yield device_report(thing, status, self._details(name, thing))

    def _details(self, name: str, thing: str) -> Mapping[str, str]:
        execution = self._iot.describe_job_execution(jobId=name, thingName=thing)["execution"]
        return execution.get("statusDetails", {}).get("detailsMap", {})


def device_report(thing: str, status: str, details: Mapping[str, str]) -> DeviceReport:
    """How `thing` ended, from its execution's status and statusDetails; unreadable details leave the status."""
    said = parse_details(details)
    if isinstance(said, Report) and status in OUTCOMES:
        return DeviceReport(thing, said.outcome, said.code, said.detail, said.slot, said.artifact, said.saved)
    where = f" while {said.words}" if isinstance(said, Progress) else ""
    return DeviceReport(thing, OUTCOMES.get(status), None, f"AWS IoT closed it as {status}{where}")
