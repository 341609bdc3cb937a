"""The journal's rows in their table: appended and read as columns, by each database's quickest way."""
