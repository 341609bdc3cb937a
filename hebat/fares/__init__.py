"""The `hebat fares` commands: tariffs in from GTFS and out to it, explained tap by tap, and compared over a recorded day."""
