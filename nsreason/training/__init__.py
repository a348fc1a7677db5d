"""A training loop that knows no model: recipes, checkpoints, curricula, devices."""
