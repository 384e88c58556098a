"""Holds what a device reports against the published models of Device Update (DTDL version 2)."""

from __future__ import annotations

from collections.abc import Mapping

from tests.adapters.azure.formats.published import SAMPLES, load

MODEL_FILE = "dtdl/deviceupdatemodel-3.json"
SIMPLE = {"integer": int, "string": str, "double": (int, float), "dateTime": str}
ACKNOWLEDGEMENT = {"value", "ac", "ad", "av"}


class Model:
    """The components of `dtmi:azure:iot:deviceUpdateModel;3`: its own, and those of the model that it extends."""

    def __init__(self):
        paths = (SAMPLES / "dtdl").glob("*.json")
        self._interfaces = {each["@id"]: each for each in map(self._read, paths)}
        self.components = self._components(self._read(SAMPLES / MODEL_FILE))

    def broken(self, reported):
        """What in the reported properties the model does not know, as `path: why`."""
        found = []
        for name, interface in self.components.items():
            if name in reported:
                found += self._broken_component(name, reported[name], self._interfaces[interface])
        return found

    def _read(self, path):
        return load(path.relative_to(SAMPLES))

    def _components(self, model):
        own = {each["name"]: each["schema"] for each in model["contents"] if each["@type"] == "Component"}
        return {**(self._components(self._interfaces[model["extends"]]) if "extends" in model else {}), **own}

    def _broken_component(self, path, value, interface):
        if value.get("__t") != "c":
            yield f"{path}: no component marker"
        schemas = {each["@id"]: each for each in interface.get("schemas", ())}
        properties = {each["name"]: each for each in interface["contents"]}
        for name in value.keys() - {"__t"}:
            told = properties.get(name)
            if told is None:
                yield f"{path}.{name}: unknown"
            elif told.get("writable"):
                yield from broken_acknowledgement(f"{path}.{name}", value[name], told["schema"], schemas)
            else:
                yield from broken_value(f"{path}.{name}", value[name], told["schema"], schemas)


def broken_acknowledgement(path, value, schema, schemas):
    """What is wrong with the answer to a writable property (IoT Plug and Play conventions)."""
    if value.keys() - ACKNOWLEDGEMENT or not {"value", "ac", "av"} <= value.keys():
        yield f"{path}: is no acknowledgement"
    yield from broken_value(f"{path}.value", value["value"], schema, schemas)


def broken_value(path, value, schema, schemas):
    """What in a value its schema does not allow."""
    schema = schemas.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, str):
        if not isinstance(value, SIMPLE[schema]) or isinstance(value, bool):
            yield f"{path}: {value!r} is no {schema}"
    elif not isinstance(value, Mapping):
        yield f"{path}: {value!r} is no {schema['@type']}"
    elif schema["@type"] == "Map":
        for name, each in value.items():
            yield from broken_value(f"{path}.{name}", each, schema["mapValue"]["schema"], schemas)
    else:
        fields = {each["name"]: each["schema"] for each in schema["fields"]}
        for name, each in value.items():
            if name in fields:
                yield from broken_value(f"{path}.{name}", each, fields[name], schemas)
            else:
                yield f"{path}.{name}: unknown"
