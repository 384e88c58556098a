"""Probes of Device Update. Those of calls that change something import nothing, deploy an update that is not there to a
group that is not, and delete such a group, so that Device Update refuses them.
"""

from __future__ import annotations

from adapters.azure.fleet.refusals import BAD_REQUEST, NOT_FOUND
from adapters.azure.fleet.services import Services
from adapters.azure.probes.answers import Meaning
from adapters.azure.probes.calls import NOWHERE, Call
from adapters.azure.wire import UpdateId
from bridge.probing import Duty

DEPLOYER = "Device Update Deployments Administrator"
IMPORTER = "Device Update Content Administrator"
READER = "Device Update Reader"
DEPLOYS = {Duty.CONTROLLER: DEPLOYER}
IMPORTS = {Duty.CONTROLLER: IMPORTER}
LOOKS = {Duty.CONTROLLER: DEPLOYER, Duty.VIEWER: READER}
VERSION = "0.0.1"
FAR = 4_102_444_800.0
"""2100, in seconds since the epoch: when the deployment that is refused would begin."""
REFUSED = (BAD_REQUEST, NOT_FOUND)


def _update(services: Services) -> object:
    return services.device_update.device_update.get_update(services.settings.provider, NOWHERE, VERSION)


def _import(services: Services) -> object:
    return services.device_update.device_update.begin_import_update([], polling=False, retry_total=0)


def _deploy(services: Services) -> None:
    update = UpdateId(services.settings.provider, NOWHERE, VERSION)
    services.deployments.create(NOWHERE, update, services.settings.download_security, FAR)


def _counts(services: Services) -> object:
    return services.deployments.counts(NOWHERE, NOWHERE)


def _reach(services: Services) -> Meaning:
    """Device Update says NotFound of an instance, too."""
    instance = f"instance {services.settings.instance} of {services.settings.endpoint}"
    return Meaning(
        lacks=("NotFound", "InstanceNotFound", "ResourceNotFound"),
        resource=instance,
        variable="device_update_instance_name",
    )


def device_update(services: Services) -> tuple[Call, ...]:
    """The probes of one instance, which is there if its groups can be listed."""
    gone = Meaning(REFUSED)
    return (
        Call("groups/read", "list the groups", lambda at: at.deployments.stages(), LOOKS, _reach(services)),
        Call("updates/read", "read an update that is not there", _update, IMPORTS, gone),
        Call("updates/write", "import nothing", _import, IMPORTS, gone),
        Call("deployments/read", "count a deployment that is not there", _counts, LOOKS, gone),
        Call("deployments/write", "deploy an update that is not there to a group that is not", _deploy, DEPLOYS, gone),
        Call(
            "groups/delete",
            "delete a group that is not there",
            lambda at: at.deployments.remove_group(NOWHERE),
            DEPLOYS,
            gone,
        ),
    )
