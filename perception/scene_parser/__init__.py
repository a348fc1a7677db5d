"""Detections to scenes."""
