"""One folder a cloud. A device executes this file too: it imports nothing."""
