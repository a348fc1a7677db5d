"""Programs as data sets write them."""
