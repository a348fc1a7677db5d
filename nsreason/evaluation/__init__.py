"""One reasoner, one report."""
