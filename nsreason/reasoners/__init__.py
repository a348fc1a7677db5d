"""Whatever answers queries."""
