"""The process that loads the user's code, and the forks it makes."""
