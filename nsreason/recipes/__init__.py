"""Recipes that come with the package, each a `.toml` file: `nsreason.recipe.load_recipe(name)`."""
