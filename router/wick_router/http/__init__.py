"""HTTP as bytes: heads, framing, refusals, WebSocket frames. Pure: no sockets, no clock."""
