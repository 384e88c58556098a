"""Gates: what counts of devices prove about a release. Pure; docs/gates.md says why one may look at any time."""
