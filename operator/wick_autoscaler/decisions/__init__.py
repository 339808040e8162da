"""How many instances a function needs, from counters to the reason in words. Pure."""
