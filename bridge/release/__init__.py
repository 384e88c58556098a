"""The release contract: what the control plane and a device share, and nothing else of the bridge."""
