"""What a detector found, its file formats and its scores."""
