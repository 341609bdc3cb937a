"""Who may be a terminal: invitations, certificates, renewals, revocations."""
