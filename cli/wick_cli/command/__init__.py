"""One module a command; `main.py` has the table."""
