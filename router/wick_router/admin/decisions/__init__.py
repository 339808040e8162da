"""What several processes' answers come to. Pure."""
