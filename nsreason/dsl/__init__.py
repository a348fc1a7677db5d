"""What can be said: kinds, the algebra, ops, domains."""
