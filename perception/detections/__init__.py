"""Detections of objects: the values, their file formats and their scores."""
