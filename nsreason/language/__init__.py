"""English: the lexicon of a domain, the phrases of a question, and what they mean as programs."""
