"""Programs that measure one promise each, beside a peer; see `harness`. `python -m benchmarks` runs all."""
