"""Stage groups: thing groups of AWS IoT, each the target of one job. Static ones hold the devices that they are given,
dynamic ones those that a query of fleet indexing finds.

AWS limits that matter: a thing may be in ten groups and an account may have 100 dynamic ones, so a group is deleted
once its job has ended; and membership becomes visible late, so a job is created only after a static group shows all its
members, or a dynamic one is built.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from adapters.aws.refusals import ALREADY_EXISTS, code_of, is_missing
from bridge.fleet import FleetError
from bridge.names import PREFIX

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient

PAGE = 250
SWEPT = 25
"""Old groups looked at before each new one."""
FIRST_WAIT = 0.1
LONGEST_WAIT = 2.0
ACTIVE = "ACTIVE"
"""Status of a dynamic group that is built."""


class StageGroups:
    """The groups of one account and region. Raises what boto3 raises, and FleetError."""

    def __init__(self, iot: IoTClient, workers: int) -> None:
        self._iot = iot
        self._workers = workers

    def things(self, group: str) -> Iterator[str]:
        """Names of the things in `group` and the groups below it."""
        listing = self._iot.get_paginator("list_things_in_thing_group")
        for members in listing.paginate(thingGroupName=group, recursive=True, PaginationConfig={"PageSize": PAGE}):
            yield from members["things"]

    def create(self, name: str, description: str) -> str:
        """The group's ARN; a group that is there already keeps its description."""
        try:
            made = self._iot.create_thing_group(
                thingGroupName=name, thingGroupProperties={"thingGroupDescription": description}
            )
        except ClientError as error:
            if code_of(error) != ALREADY_EXISTS:
                raise
            return self._iot.describe_thing_group(thingGroupName=name)["thingGroupArn"]
        return made["thingGroupArn"]

    def create_dynamic(self, name: str, description: str, query: str) -> str:
        """The ARN of the group of all things that match `query`. Raises: FleetError for a group of other things."""
        try:
            made = self._iot.create_dynamic_thing_group(
                thingGroupName=name, queryString=query, thingGroupProperties={"thingGroupDescription": description}
            )
        except ClientError as error:
            if code_of(error) != ALREADY_EXISTS:
                raise
            held = self._iot.describe_thing_group(thingGroupName=name)
            if held.get("queryString") != query:
                raise FleetError(
                    f"group {name} exists already and holds other devices than those of the query {query}: somebody "
                    "changed it; delete it and try again"
                ) from error
            return held["thingGroupArn"]
        return made["thingGroupArn"]

    def await_built(self, name: str, seconds: float) -> None:
        """Wait until a dynamic group holds all that match. Raises: FleetError, retryable."""
        deadline, wait = time.monotonic() + seconds, FIRST_WAIT
        while self._iot.describe_thing_group(thingGroupName=name).get("status") != ACTIVE:
            if time.monotonic() + wait > deadline:
                raise FleetError(
                    f"group {name} is still being built after {seconds:g} s; AWS IoT is slow, try again", retryable=True
                )
            time.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def delete(self, name: str) -> None:
        """Delete the group, of either kind; of one that is not there, nothing."""
        try:
            dynamic = "queryString" in self._iot.describe_thing_group(thingGroupName=name)
        except ClientError as error:
            if is_missing(error):
                return
            raise
        if dynamic:
            self._iot.delete_dynamic_thing_group(thingGroupName=name)
        else:
            self._iot.delete_thing_group(thingGroupName=name)

    def description(self, name: str) -> str | None:
        """The group's description; None when there is no such group."""
        try:
            found = self._iot.describe_thing_group(thingGroupName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return found.get("thingGroupProperties", {}).get("thingGroupDescription", "")

    def fill(self, name: str, devices: Sequence[str]) -> bool:
        """Add the devices that are not in the group yet; whether there were any."""
        present = set(self.things(name))
        missing = [device for device in devices if device not in present]
        with ThreadPoolExecutor(self._workers, thread_name_prefix="group") as pool:
            for _ in pool.map(lambda device: self._add(name, device), missing):
                pass
        return bool(missing)

    def await_members(self, name: str, devices: Sequence[str], seconds: float) -> None:
        """Wait until the group shows exactly `devices`. Raises: FleetError, retryable when some are still missing."""
        deadline = time.monotonic() + seconds
        wait = FIRST_WAIT
        while True:
            missing = self._missing(name, devices)
            if not missing:
                return
            if time.monotonic() + wait > deadline:
                raise FleetError(
                    f"group {name} does not show {len(missing)} of its {len(devices)} devices after {seconds:g} s, "
                    f"{min(missing)} among them; AWS IoT is slow, try again",
                    retryable=True,
                )
            time.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def sweep(self, ended: Callable[[str], bool]) -> None:
        """Delete groups of ours whose job `ended`; of many, some chosen by chance, so that all get their turn."""
        listing = self._iot.get_paginator("list_thing_groups").paginate(namePrefixFilter=PREFIX)
        names = [group["groupName"] for page in listing for group in page["thingGroups"]]
        for name in random.sample(names, min(SWEPT, len(names))):
            if ended(name):
                self.delete(name)

    def _missing(self, name: str, devices: Sequence[str]) -> set[str]:
        present = set(self.things(name))
        foreign = present.difference(devices)
        if foreign:
            raise FleetError(
                f"group {name} holds {len(foreign)} devices that the stage does not name, such as {min(foreign)}: "
                "somebody added them; remove them from the group and try again"
            )
        return set(devices) - present

    def _add(self, name: str, device: str) -> None:
        try:
            self._iot.add_thing_to_thing_group(thingGroupName=name, thingName=device)
        except ClientError as error:
            if is_missing(error):
                raise FleetError(f"device {device} is not registered in AWS IoT (any more): plan again") from error
            raise
