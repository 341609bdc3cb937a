"""Bank Indonesia's open payment API (SNAP BI) as the standard has it: codecs that both sides of it share, and nothing else. Pure."""
