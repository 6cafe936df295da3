"""Which offsets to append to the table of a topic, appending them once, and proving it."""
