"""The payload: one format for full images and deltas, and the applier that streams it into a slot. Pure."""
