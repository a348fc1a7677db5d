"""Throughput of the torch-free core. `python -m benchmarks --help`."""
