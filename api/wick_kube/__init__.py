"""The one door to the Kubernetes API: shared by the operator, the router's backend and the autoscaler.

```
Cluster (cluster.py)      connection, authentication, TLS; calls that take and give plain JSON objects
  | resource.py           which path an object lives at
  | error.py              what the API server answers when it refuses
Reflector (reflector.py)  a local copy of one kind of object, kept current by list and watch
  | stream.py             bytes of a watch into events
```

The official ``kubernetes`` package does what it is good at (configuration, credentials, TLS, connection pool); its
typed models stay out, because decoding a watch event with them costs 170 microseconds against 5 with msgspec.
"""
