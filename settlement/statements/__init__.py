"""Bank statements: what a bank says happened on our account, read strictly and kept whole."""
