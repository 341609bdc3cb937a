"""Which counters of cards are missing, and what the night says of it."""
