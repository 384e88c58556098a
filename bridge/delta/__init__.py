"""Makes payloads: differences between images, and the container that carries them. Never on a device."""
