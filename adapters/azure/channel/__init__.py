"""How a device of IoT Hub talks to Device Update: the parts of `adapters.azure.device`."""
