"""The night: close the window, settle it, write payment files, take statements in, match, and compare three ways."""
