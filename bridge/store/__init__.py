"""Where rollouts, approvals and the ledger live: `bridge.store.store` is the way in, the rest is how."""
