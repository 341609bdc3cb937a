"""Rows of any table, held as columns and written many at once by the database's quickest way."""
