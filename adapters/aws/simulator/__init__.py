"""AWS IoT on loopback: moto for what it has, the life of jobs written here from the protocol."""
