"""Azure IoT Hub and Device Update: this cloud's three files and simulator go here, independent of every other cloud."""
