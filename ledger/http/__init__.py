"""What every route shares: problems, limits, cursors, the description, the front door."""
