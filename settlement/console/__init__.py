"""The bank staff's console: pages made on the server, which work without a script."""
