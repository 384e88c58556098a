"""What a release manager wishes: the model of a rollout, and `rollout.yaml`, which says it."""
