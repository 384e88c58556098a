"""REST routes of Jobs: service `iot` (control plane) and `iot-jobs-data` (device plane)."""

from __future__ import annotations

import json

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request

from adapters.aws.simulator.control import ControlPlane, Place, created
from adapters.aws.simulator.device_plane import NEXT, DevicePlane
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.errors import invalid, not_found
from adapters.aws.simulator.index_routes import INDEX_RULES
from adapters.aws.simulator.model import Execution, ExecutionStatus, Job, JobStatus
from adapters.aws.simulator.request import (
    Describe,
    ExecutionCancel,
    JobCancel,
    JobRequest,
    JobTargets,
    JobUpdate,
    StartNext,
    Update,
    parse,
)
from adapters.aws.simulator.rest import Names, Operation, body_of, choice, flag, number, page
from adapters.aws.simulator.shapes import (
    Json,
    control_execution,
    control_summary,
    job_description,
    job_summary,
)

CONTROL_ROUTES = Map(
    [
        Rule("/jobs", methods=["GET"], endpoint="ListJobs"),
        Rule("/jobs/<job>", methods=["PUT"], endpoint="CreateJob"),
        Rule("/jobs/<job>", methods=["GET"], endpoint="DescribeJob"),
        Rule("/jobs/<job>", methods=["PATCH"], endpoint="UpdateJob"),
        Rule("/jobs/<job>", methods=["DELETE"], endpoint="DeleteJob"),
        Rule("/jobs/<job>/cancel", methods=["PUT"], endpoint="CancelJob"),
        Rule("/jobs/<job>/targets", methods=["POST"], endpoint="AssociateTargetsWithJob"),
        Rule("/jobs/<job>/job-document", methods=["GET"], endpoint="GetJobDocument"),
        Rule("/jobs/<job>/things", methods=["GET"], endpoint="ListJobExecutionsForJob"),
        Rule("/things/<thing>/jobs", methods=["GET"], endpoint="ListJobExecutionsForThing"),
        Rule("/things/<thing>/jobs/<job>", methods=["GET"], endpoint="DescribeJobExecution"),
        Rule("/things/<thing>/jobs/<job>/cancel", methods=["PUT"], endpoint="CancelJobExecution"),
        Rule(
            "/things/<thing>/jobs/<job>/executionNumber/<number>",
            methods=["DELETE"],
            endpoint="DeleteJobExecution",
        ),
        *INDEX_RULES,
    ]
)
DATA_ROUTES = Map(
    [
        Rule("/things/<thing>/jobs", methods=["GET"], endpoint="GetPendingJobExecutions"),
        Rule("/things/<thing>/jobs/$next", methods=["PUT"], endpoint="StartNextPendingJobExecution"),
        Rule("/things/<thing>/jobs/<job>", methods=["GET"], endpoint="DescribeJobExecution"),
        Rule("/things/<thing>/jobs/<job>", methods=["POST"], endpoint="UpdateJobExecution"),
    ]
)


class ControlRoutes:
    """The operations of `CONTROL_ROUTES`, from request to JSON."""

    def __init__(self, engine: Engine, plane: ControlPlane, place: Place) -> None:
        self._engine = engine
        self._plane = plane
        self._place = place
        self.operations: dict[str, Operation] = {
            "CreateJob": self._create_job,
            "DescribeJob": self._describe_job,
            "UpdateJob": self._update_job,
            "DeleteJob": self._delete_job,
            "CancelJob": self._cancel_job,
            "AssociateTargetsWithJob": self._associate,
            "GetJobDocument": self._get_document,
            "ListJobs": self._list_jobs,
            "ListJobExecutionsForJob": self._executions_of_job,
            "ListJobExecutionsForThing": self._executions_of_thing,
            "DescribeJobExecution": self._describe_execution,
            "CancelJobExecution": self._cancel_execution,
            "DeleteJobExecution": _not_played("DeleteJobExecution; delete the whole job"),
        }

    def _create_job(self, request: Request, names: Names) -> Json:
        body = body_of(request)
        return created(self._plane.create_job(names["job"], parse(body, JobRequest)))

    def _describe_job(self, _request: Request, names: Names) -> Json:
        with self._engine.transaction():
            job = self._engine.store.job(names["job"])
            source = job.request.document_source
            shape: Json = {"job": job_description(job)}
            return shape if source is None else {**shape, "documentSource": source}

    def _update_job(self, request: Request, names: Names) -> Json:
        self._plane.update_job(names["job"], parse(body_of(request), JobUpdate))
        return {}

    def _delete_job(self, request: Request, names: Names) -> Json:
        self._plane.delete_job(names["job"], force=flag(request, "force"))
        return {}

    def _cancel_job(self, request: Request, names: Names) -> Json:
        cancel = parse(body_of(request), JobCancel)
        return created(self._plane.cancel_job(names["job"], cancel, force=flag(request, "force")))

    def _associate(self, request: Request, names: Names) -> Json:
        return created(self._plane.associate(names["job"], parse(body_of(request), JobTargets)))

    def _get_document(self, _request: Request, names: Names) -> Json:
        # Placeholders are not filled on the control plane.
        with self._engine.transaction():
            return {"document": self._engine.store.job(names["job"]).document}

    def _list_jobs(self, request: Request, _names: Names) -> Json:
        status = choice(request, "status", JobStatus)
        selection = request.args.get("targetSelection")
        group = request.args.get("thingGroupName")
        arn = self._place.arn("thinggroup", group) if group else None
        with self._engine.transaction():
            found = [
                job
                for job in self._engine.store.jobs.values()
                if status in (None, job.status)
                and selection in (None, job.request.target_selection)
                and _has_target(job, arn)
            ]
            found.sort(key=lambda job: job.created_at, reverse=True)
            return page(request, "jobs", [job_summary(job) for job in found])

    def _executions_of_job(self, request: Request, names: Names) -> Json:
        status = choice(request, "status", ExecutionStatus)
        with self._engine.transaction():
            job = self._engine.store.job(names["job"])
            found = [each for each in job.executions() if status in (None, each.status)]
            found.sort(key=lambda each: each.updated_at, reverse=True)
            return page(request, "executionSummaries", [self._of_job(each) for each in found])

    def _executions_of_thing(self, request: Request, names: Names) -> Json:
        status = choice(request, "status", ExecutionStatus)
        job_id = request.args.get("jobId")
        with self._engine.transaction():
            self._known(names["thing"])
            found: list[Json] = [
                {"jobId": each.job.job_id, "jobExecutionSummary": control_summary(each)}
                for each in self._engine.store.of_thing(names["thing"])
                if status in (None, each.status) and job_id in (None, each.job.job_id)
            ]
            return page(request, "executionSummaries", found)

    def _describe_execution(self, request: Request, names: Names) -> Json:
        wanted = number(request, "executionNumber")
        with self._engine.transaction() as now:
            execution = self._engine.store.execution(names["job"], names["thing"], wanted)
            arn = self._place.arn("thing", names["thing"])
            return {"execution": control_execution(execution, arn, now)}

    def _cancel_execution(self, request: Request, names: Names) -> Json:
        cancel = parse(body_of(request), ExecutionCancel)
        force = flag(request, "force")
        self._plane.cancel_execution(names["job"], names["thing"], cancel, force=force)
        return {}

    def _of_job(self, execution: Execution) -> Json:
        return {
            "thingArn": self._place.arn("thing", execution.thing),
            "jobExecutionSummary": control_summary(execution),
        }

    def _known(self, thing: str) -> None:
        if self._engine.targets.things(self._place.arn("thing", thing)) is None:
            raise not_found(f"Thing {thing} cannot be found.")


class DataRoutes:
    """The operations of `DATA_ROUTES`: as over MQTT, but documents are text here."""

    def __init__(self, plane: DevicePlane) -> None:
        self._plane = plane
        self.operations: dict[str, Operation] = {
            "GetPendingJobExecutions": self._pending,
            "StartNextPendingJobExecution": self._start_next,
            "DescribeJobExecution": self._describe,
            "UpdateJobExecution": self._update,
        }

    def _pending(self, _request: Request, names: Names) -> Json:
        pending = self._plane.pending(names["thing"])
        return {"inProgressJobs": pending.in_progress, "queuedJobs": pending.queued}

    def _start_next(self, request: Request, names: Names) -> Json:
        start = parse(body_of(request), StartNext)
        return _with_execution(names["thing"], self._plane.start_next(names["thing"], start))

    def _describe(self, request: Request, names: Names) -> Json:
        wish = Describe(
            number(request, "executionNumber"),
            request.args.get("includeJobDocument", "true") != "false",
        )
        job_id = names.get("job", NEXT)
        return _with_execution(names["thing"], self._plane.describe(names["thing"], job_id, wish))

    def _update(self, request: Request, names: Names) -> Json:
        update = parse(body_of(request), Update)
        answer = self._plane.update(names["thing"], names["job"], update)
        return _with_text_document(answer)


def _not_played(what: str) -> Operation:
    """moto would answer 500, which boto3 repeats for a minute."""

    def refuse(_request: Request, _names: Names) -> Json:
        raise invalid(f"This simulator does not play {what} instead")

    return refuse


def _has_target(job: Job, arn: str | None) -> bool:
    # The group filter leaves SCHEDULED jobs out (aws/aws-cli#8924).
    return arn is None or (arn in job.targets and job.status is not JobStatus.SCHEDULED)


def _with_execution(thing: str, execution: Json | None) -> Json:
    if execution is None:
        return {}
    return {"execution": {"thingName": thing, **_with_text_document(execution)}}


def _with_text_document(shape: Json) -> Json:
    if "jobDocument" not in shape:
        return shape
    return {**shape, "jobDocument": json.dumps(shape["jobDocument"], separators=(",", ":"))}
