"""Intake of signed batches: who sent them, what the cards signed, what is posted, and what is kept for people to look at."""
