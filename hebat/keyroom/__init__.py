"""The key room: ceremonies, backups, transport and rolling of keys, at the command line."""
