"""One file a kind of handler, each behind the port in `agent.handling`."""
