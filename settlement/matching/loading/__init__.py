"""Items and lines out of the database, as the columns that matching works on."""
