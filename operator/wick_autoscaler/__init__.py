"""The autoscaler: reads demand from Prometheus metrics, decides in a pure function, asks a `Scaler` for instances.

    routers' /metrics --> demand.Reading --> track.Track --> Seen --> decision.decide --> Decision --> Scaler.scale
    (text, each second)   (differences)      (windows)                (pure)

Whoever runs functions gives the loop (`loop.Autoscaler`) a `Scaler` and the metrics URLs of the routers:

    autoscaler = Autoscaler(my_scaler, targets=lambda: ["http://127.0.0.1:9401/metrics"], settings=Settings())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(autoscaler.run())
        ...
        autoscaler.poke([Key("default", "hello")])  # look again at once

A `Scaler` only tells what it sees and carries out numbers: which Functions there are, how many instances each has
(`Replicas`), and `scale(key, decision)`. It never decides.

This package imports neither kopf nor a Kubernetes client, because the local platform runs the same decisions.
"""
