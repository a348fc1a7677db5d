"""Perception: from what is seen of objects to degrees of concepts and relations.

concepts   concept embeddings: object and pair features to the tables that soft execution reads
state      state descriptions (coordinates and values, noisy and rotated) in place of what a detector sees
"""
