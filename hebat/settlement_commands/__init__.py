"""The `hebat settlement` command: what the console does, from a shell. A module for each part; `app` puts them together."""
