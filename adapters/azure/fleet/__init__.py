"""How a fleet in IoT Hub is worked: the parts of `adapters.azure.cloud`."""
