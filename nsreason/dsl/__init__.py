"""What can be said: kinds, the algebra, ops, tables of worlds, domains and vocabularies."""
