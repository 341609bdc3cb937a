"""The `hebat bank` command: lines to partner banks, payments over them, and a bank to try them against."""
