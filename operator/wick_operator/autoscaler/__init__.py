"""The autoscaler on Kubernetes: what it acts upon, where routers are, and how its decisions are told.

    operator's mirrors --> platform.Platform (Scaler) --> autoscaling.loop.Autoscaler --> fence: Deployment's /scale
    router pods        --> routers.Routers ------------>            |
    Secrets            --> secret.Secrets  ------------>            +--> report.Report: status.scale, Events

`companion.Scaling` puts them together and runs beside the operator's queue, in the leader only. Everything it writes
goes through the operator's fence, so a replica that lost its Lease writes nothing.
"""
