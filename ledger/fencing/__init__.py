"""The fencing number of a database: which server may commit, also where a lease was lost unseen."""
