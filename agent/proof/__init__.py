"""What proves a trial boot, and what ends one that does not prove itself: checks and watchdogs."""
