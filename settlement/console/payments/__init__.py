"""Payment files as the console lists them."""
