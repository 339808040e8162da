"""What the local platform decides. Pure."""
