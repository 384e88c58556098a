"""What the simulators of all clouds stand on: an MQTT server, test certificates, a virtual clock."""
