"""Mask R-CNN, and a smaller one for CPUs."""
