"""One file a boot loader, each behind the port in `agent.slots`."""
