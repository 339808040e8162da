"""The cluster as last seen, in memory, and the audit that finds what it missed."""
