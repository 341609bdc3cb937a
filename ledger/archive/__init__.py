"""The archive: old business dates of the journal as files, out of the database and still part of the books."""
