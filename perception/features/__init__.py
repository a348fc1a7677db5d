"""Features of objects and pairs, and the concepts read in them."""
