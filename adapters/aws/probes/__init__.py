"""What a fleet in AWS needs, proven call by call. Implements bridge.probing; `listed.probes` is the list."""
