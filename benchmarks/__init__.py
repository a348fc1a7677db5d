"""Throughput of the torch-free core, and of soft execution. `python -m benchmarks --help`."""
