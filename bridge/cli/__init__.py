"""The `otabridge` command: one file a noun, no logic."""
