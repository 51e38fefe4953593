"""What the Python drivers share: the client contract's loop, the relay, reading the wire."""
