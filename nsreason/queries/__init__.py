"""Questions with their inputs and choices, and how replies are scored."""
