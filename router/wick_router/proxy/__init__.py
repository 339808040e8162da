"""The data plane: connections of clients and to instances, and what ties one request to both."""
