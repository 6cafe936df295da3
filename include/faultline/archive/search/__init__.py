"""Search the archive: a query's text → what it asks → which files can have it → the rows, in order of time."""
