"""Who works at the console: accounts, roles, passwords, one-time codes, sessions, and the log of all they did."""
