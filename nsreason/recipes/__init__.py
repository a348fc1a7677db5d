"""Recipes that come with the package, each a `.toml` file: `nsreason.training.recipe.load_recipe(name)`."""
