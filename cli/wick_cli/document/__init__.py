"""The YAML documents people write. Pure."""
