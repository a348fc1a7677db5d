"""Balls joined by springs and rods, simulated."""
