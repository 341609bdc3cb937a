"""What the city tells this terminal: signed bundles, kept on its disk, in force from their dates."""
