"""Azure IoT Hub, device provisioning and Device Update on loopback, for tests and the demonstration."""
