"""One call of a handler: request, answer, and how they pass between processes."""
