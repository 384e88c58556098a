"""What it takes to install an image: `python -m benchmarks.install`."""
