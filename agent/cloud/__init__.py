"""Channels: how offers come and reports go, whichever the cloud."""
