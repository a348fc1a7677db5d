"""Typed programs, every spelling of them (text, dialects), their canonical form, and programs in the making."""
