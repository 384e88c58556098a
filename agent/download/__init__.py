"""From a release's URL to bytes at hand: connections, resume, deadlines, turns."""
