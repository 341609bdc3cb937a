"""What the tables still hold of business dates that are in the archive: read by nobody, and taken out piece by piece."""
