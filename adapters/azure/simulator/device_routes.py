"""REST of Device Update for groups, device classes, devices and compliance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from werkzeug.routing import Rule

from adapters.azure.simulator.answers import Answer, Call, Operation
from adapters.azure.simulator.compliance import Fleet
from adapters.azure.simulator.device_classes import DeviceClass
from adapters.azure.simulator.device_update import DeviceUpdate
from adapters.azure.simulator.index import Group
from adapters.azure.simulator.moments import moment
from adapters.azure.simulator.odata import matching, page
from adapters.azure.simulator.refusals import Json, invalid, not_found
from adapters.azure.simulator.update_routes import update_info, update_infos

_GROUPS = "/management/groups"
_GROUP = f"{_GROUPS}/<group>"
_SUBGROUP = f"{_GROUP}/deviceClassSubgroups/<device_class>"
_CLASS = "/management/deviceClasses/<device_class>"
RULES = (
    Rule(_GROUPS, methods=["GET"], endpoint="groups"),
    Rule(_GROUP, methods=["GET"], endpoint="group"),
    Rule(_GROUP, methods=["DELETE"], endpoint="group_delete"),
    Rule(f"{_GROUP}/updateCompliance", methods=["GET"], endpoint="group_compliance"),
    Rule(f"{_GROUP}/bestUpdates", methods=["GET"], endpoint="group_best_updates"),
    Rule(f"{_GROUP}/deviceClassSubgroups", methods=["GET"], endpoint="subgroups"),
    Rule(_SUBGROUP, methods=["GET"], endpoint="subgroup"),
    Rule(_SUBGROUP, methods=["DELETE"], endpoint="subgroup_delete"),
    Rule(f"{_SUBGROUP}/updateCompliance", methods=["GET"], endpoint="subgroup_compliance"),
    Rule(f"{_SUBGROUP}/bestUpdates", methods=["GET"], endpoint="subgroup_best_update"),
    Rule("/management/updateCompliance", methods=["GET"], endpoint="compliance"),
    Rule("/management/deviceClasses", methods=["GET"], endpoint="classes"),
    Rule(_CLASS, methods=["GET"], endpoint="class"),
    Rule(_CLASS, methods=["PATCH"], endpoint="class_patch"),
    Rule(_CLASS, methods=["DELETE"], endpoint="class_delete"),
    Rule(f"{_CLASS}/installableUpdates", methods=["GET"], endpoint="class_updates"),
    Rule("/management/devices", methods=["GET"], endpoint="devices"),
    Rule("/management/devices/<device>", methods=["GET"], endpoint="device"),
)


class DeviceRoutes:
    """The operations of `RULES`. Whoever calls them holds the instance."""

    def __init__(self, service: DeviceUpdate) -> None:
        self._service = service
        self._index = service.index
        self._fleet = Fleet(service)
        self.operations: Mapping[str, Operation] = {
            "groups": self._groups,
            "group": lambda call: Answer(self._group_shape(self._group(call))),
            "group_delete": self._delete_group,
            "group_compliance": lambda call: Answer(self._fleet.compliance(self._members(call))),
            "group_best_updates": self._best_updates,
            "subgroups": self._subgroups,
            "subgroup": lambda call: Answer(self._subgroup_shape(call, self._subgroup(call))),
            "subgroup_delete": self._delete_subgroup,
            "subgroup_compliance": lambda call: Answer(self._fleet.compliance(self._members(call))),
            "subgroup_best_update": lambda call: Answer(self._best(call, self._subgroup(call))),
            "compliance": lambda _: Answer(self._fleet.compliance(self._index.devices)),
            "classes": self._classes,
            "class": lambda call: Answer(self._class_shape(self._class(call))),
            "class_patch": self._name_class,
            "class_delete": self._delete_class,
            "class_updates": self._class_updates,
            "devices": self._devices,
            "device": lambda call: Answer(self._fleet.device(self._device(call))),
        }

    # --- groups

    def _groups(self, call: Call) -> Answer:
        shown = [self._group_shape(each) for _, each in sorted(self._index.groups.items())]
        return Answer(page(call.request, _ordered(shown, call.request.args.get("orderby", ""))).body())

    def _delete_group(self, call: Call) -> Answer:
        group = self._group(call).group_id
        if self._index.members(group):
            raise invalid(f"group {group} has devices", "GroupNotEmpty")
        if self._service.deployments.of_group(group):
            raise invalid(f"group {group} has deployments; cancel and delete them first", "GroupHasDeployments")
        del self._index.groups[group]
        return Answer(status=204)

    def _group_shape(self, group: Group) -> Json:
        name = group.group_id
        return {
            "groupId": name,
            "groupType": group.kind,
            "createdDateTime": moment(group.created),
            "deviceCount": len(self._index.members(name)),
            "deployments": [each.deployment_id for each in self._service.deployments.of_group(name)],
            **self._fleet.subgroup_counts(name),
        }

    def _best_updates(self, call: Call) -> Answer:
        group = self._group(call).group_id
        return Answer(page(call.request, [self._best(call, each) for each in self._index.subgroups(group)]).body())

    def _group(self, call: Call) -> Group:
        found = self._index.groups.get(call.names["group"])
        if found is None:
            raise not_found("Group", call.names["group"])
        return found

    def _members(self, call: Call) -> Sequence[str]:
        return self._index.members(self._group(call).group_id, call.names.get("device_class"))

    # --- subgroups

    def _subgroups(self, call: Call) -> Answer:
        shown = [self._subgroup_shape(call, each) for each in self._index.subgroups(self._group(call).group_id)]
        names = {name for each in self._index.classes.values() for name, _ in each.properties}
        fields = {f"compatProperties/{name}": self._property(name) for name in names}
        return Answer(page(call.request, matching(call.request, shown, fields)).body())

    def _property(self, name: str) -> Callable[[Json], object]:
        return lambda shown: dict(self._index.classes[str(shown["deviceClassId"])].properties).get(name)

    def _subgroup_shape(self, call: Call, class_id: str) -> Json:
        group = self._group(call)
        active = self._fleet.active(group.group_id, class_id)
        shown: dict[str, object] = {
            "groupId": group.group_id,
            "deviceClassId": class_id,
            "createdDateTime": moment(group.created),
            "deviceCount": len(self._index.members(group.group_id, class_id)),
        }
        return shown if active is None else {**shown, "deploymentId": active.deployment_id}

    def _subgroup(self, call: Call) -> str:
        class_id = call.names["device_class"]
        if class_id not in self._index.subgroups(self._group(call).group_id):
            raise not_found("Subgroup", class_id)
        return class_id

    def _delete_subgroup(self, call: Call) -> Answer:
        """A subgroup is its devices here: one without any is gone already."""
        raise invalid(f"subgroup {self._subgroup(call)} has devices", "SubgroupNotEmpty")

    def _best(self, call: Call, class_id: str) -> Json:
        group = self._group(call).group_id
        best = self._fleet.best(self._index.classes[class_id])
        count = self._fleet.outdated(self._index.members(group, class_id))
        shown: dict[str, object] = {"groupId": group, "deviceClassId": class_id, "deviceCount": count}
        return shown if best is None else {**shown, "update": update_info(best)}

    # --- device classes

    def _classes(self, call: Call) -> Answer:
        shown = [self._class_shape(each) for _, each in sorted(self._index.classes.items())]
        fields = {"friendlyName": lambda each: each.get("friendlyName")}
        return Answer(page(call.request, matching(call.request, shown, fields)).body())

    def _class_shape(self, device_class: DeviceClass) -> Json:
        best, name = self._fleet.best(device_class), self._index.class_names.get(device_class.class_id)
        model = {"id": device_class.contract_model, "name": "Device Update Contract Model"}
        shown: dict[str, object] = {
            "deviceClassId": device_class.class_id,
            "deviceClassProperties": {"compatProperties": dict(device_class.properties), "contractModel": model},
        }
        shown |= {} if best is None else {"bestCompatibleUpdate": update_info(best)}
        return shown if name is None else {**shown, "friendlyName": name}

    def _class(self, call: Call) -> DeviceClass:
        found = self._index.classes.get(call.names["device_class"])
        if found is None:
            raise not_found("Device class", call.names["device_class"])
        return found

    def _name_class(self, call: Call) -> Answer:
        device_class, name = self._class(call), call.json().get("friendlyName")
        if not isinstance(name, str):
            raise invalid("friendlyName must be a text")
        self._index.class_names[device_class.class_id] = name
        return Answer(self._class_shape(device_class))

    def _delete_class(self, call: Call) -> Answer:
        device_class = self._class(call)
        if any(each.device_class == device_class for each in self._index.devices.values()):
            raise invalid(f"device class {device_class.class_id} has devices", "DeviceClassNotEmpty")
        del self._index.classes[device_class.class_id]
        return Answer(status=204)

    def _class_updates(self, call: Call) -> Answer:
        return Answer(page(call.request, update_infos(self._fleet.installable(self._class(call)))).body())

    # --- devices

    def _devices(self, call: Call) -> Answer:
        shown = [self._fleet.device(each) for each in sorted(self._index.devices)]
        names = ("groupId", "deviceClassId", "deploymentStatus", "deviceId")
        fields = {name: lambda each, name=name: each.get(name) for name in names}
        return Answer(page(call.request, matching(call.request, shown, fields)).body())

    def _device(self, call: Call) -> str:
        if call.names["device"] not in self._index.devices:
            raise not_found("Device", call.names["device"])
        return call.names["device"]


def _ordered(shown: list[Json], orderby: str) -> list[Json]:
    """By one member, ascending unless it says `desc`."""
    name, _, direction = orderby.partition(" ")
    if not name:
        return shown
    if shown and name not in shown[0]:
        raise invalid(f"orderby {orderby!r}: there is no {name}")
    return sorted(shown, key=lambda each: str(each[name]), reverse=direction.strip().lower() == "desc")
