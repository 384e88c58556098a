"""When devices may be offered a release: maintenance windows, freeze calendars, and one answer from both."""
