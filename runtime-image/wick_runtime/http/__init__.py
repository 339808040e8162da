"""HTTP/1.1 on the server's side: parser, connection, answers."""
