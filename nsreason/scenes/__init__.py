"""What can be talked about, crisp: scenes and their relations."""
