"""Host to host with partner banks (SNAP BI): what we ask of them, each payment at most once, and what they tell us."""
