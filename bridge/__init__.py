"""The control plane of otabridge. A device executes this file too: it imports nothing."""
