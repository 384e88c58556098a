"""From bytes at hand to a slot that holds the image: choice of the artifact, writing, reading back."""
