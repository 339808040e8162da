"""How many warm pods there are to be, what they look like, and who adopts them. Pure."""
