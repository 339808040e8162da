"""The autoscaler on Kubernetes: what it acts upon, where routers are, and how its decisions are told.

    operator's store --> kubernetes_scaler (Scaler) --> wick_autoscaler.loop.Autoscaler --> fenced writer: /scale
    router pods      --> routers.Routers ------------->            |
    Secrets          --> secret.SecretReader --------->            +--> report.Report: status.scale, Events

`controller.AutoscalerController` puts them together and runs beside the operator's queue, in the leader only.
Everything it writes goes through the fenced writer, so a replica that lost its Lease writes nothing.
"""
