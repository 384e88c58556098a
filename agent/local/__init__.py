"""What local programs hear of an update, and say to it."""
