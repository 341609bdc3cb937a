"""What a database role may do with the books: on PostgreSQL a server need not own what it writes to."""
