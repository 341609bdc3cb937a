"""What people found out about records that the intake did not post, and about exceptions that posted ones raised."""
