"""Several reasoners, one table."""
