"""GTFS Schedule feeds: read strictly, checked, and turned into tariffs and back (reference of June 2026, gtfs.org)."""
