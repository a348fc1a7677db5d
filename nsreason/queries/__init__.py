"""A question with its inputs, and how a reply is scored."""
