"""Business days, positions, bank files, statements, matching, breaks."""
