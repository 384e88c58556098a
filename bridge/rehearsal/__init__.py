"""A rollout on a virtual fleet, in virtual time: the real plan, the real decisions, devices by assumption."""
