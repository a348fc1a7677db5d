"""One execution, step by step, as text, JSON, page and picture."""
