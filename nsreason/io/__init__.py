"""Files and images as bytes: atomic writes, locks, caps, decoding. Nothing here knows what they mean."""
