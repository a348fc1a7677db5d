"""Typed programs and every spelling of them."""
