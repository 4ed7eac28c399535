"""A challenger on its way into office: what the ledger `rollouts` says of it."""
