"""One update from its offer to its report: the machine's table, its states, and what is remembered."""
