"""What a fleet in Azure needs, proven call by call. Implements bridge.probing; `listed.probes` is the list."""
