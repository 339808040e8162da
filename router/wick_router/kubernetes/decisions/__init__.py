"""What a pod's state means for those who wait. Pure."""
