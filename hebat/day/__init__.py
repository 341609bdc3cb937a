"""A day of trips that nobody here made: taps from a file over a GTFS feed, through cards, terminals, ledger and night."""
