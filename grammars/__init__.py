"""Grammar and domain files. Data only: Lark's package loader and `importlib.resources` find them here."""
