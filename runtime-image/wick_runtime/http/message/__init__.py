"""HTTP/1.1 messages: parsers, rules, and the answers to what breaks them. Pure."""
