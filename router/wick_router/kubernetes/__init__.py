"""The router's backend on Kubernetes: watches Functions and pods, starts functions, reports why they can't start.

```
   Functions --+                              +--> Sink.function / function_gone
   pods -------+--> reflectors --> backend ---+--> Sink.instances      (as soon as a pod has an address)
   ReplicaSets-+                      ^       +--> Sink.failed / recovered
                                      |
   Backend.activate --> activation ---+--> API server: /scale 0 -> 1, nothing else
```
"""

from wick_router.kubernetes.backend import KubernetesBackend

__all__ = ["KubernetesBackend"]
