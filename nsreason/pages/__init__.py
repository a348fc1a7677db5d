"""Documents that are written: plots and tables. Nothing here knows what they show."""
