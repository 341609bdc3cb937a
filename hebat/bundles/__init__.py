"""The city's desk for what it tells its terminals: issuing signed bundles, blocking cards."""
