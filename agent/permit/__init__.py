"""Who and what on the device may be in the way of an update."""
