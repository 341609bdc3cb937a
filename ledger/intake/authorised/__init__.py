"""The table of authorised loads."""
