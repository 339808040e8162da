"""Who waits, who is served next, and by which endpoint. Pure: effects are returned, not done."""
