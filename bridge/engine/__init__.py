"""Runs rollouts: observe, decide, save, act. The decision is pure; the controller drives it."""
