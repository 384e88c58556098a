"""From a wish to a plan: which devices, in which stage, how long, at what cost."""
