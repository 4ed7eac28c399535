"""Who is champion: the ledger, and MLflow that follows it."""
