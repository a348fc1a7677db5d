"""What can be talked about, crisp: worlds, scenes and their relations. `world.World` is the protocol."""
