"""Who waits, who is served next, and by which endpoint. Pure: actions are returned, not done."""
