"""Warm pools, the operator's half: makes them, sizes them, and turns claimed pods into their Deployment's own.

```
 decisions/    pure: what a pool is (manifest), how many pods wait (sizing), who needs them (users), what to do about a
               claimed pod (adoption), which pods to hasten (dropped), which update of a running function (rollout)
 controller.py keeps the pools: namespaces and sizes -> Deployments
 adopter.py    follows each claimed pod until it is adopted or gone
 update.py     gives a warm pod a running function's new revision
 audit.py      finds pods that took a function and were never claimed
```

The rules both halves share (which functions fit, the claim, the token) are in `wick_api.warm`; the claim itself is the
router's (`wick_router.kubernetes.warm_start`).
"""
