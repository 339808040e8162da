"""Running the user's code: loading, admission, handler processes, coroutines, output, failures."""
