"""All that is learned above pixels: one folder a family of models."""
