"""Warm pools, the operator's half: makes them, sizes them, and turns claimed pods into their Deployment's own.

```
 settings.py   what the installation and a namespace ask for
 manifest.py   a pool's Deployment                                     pure
 sizing.py     how many pods wait, from how often they are needed      pure
 adoption.py   what to do about a claimed pod                          pure
 keeper.py     keeps the pools: namespaces and sizes -> Deployments
 registrar.py  follows each claimed pod until it is adopted or gone
 dropped.py    which pods to hasten that were told to go while they started   pure
 rollout.py    which update of a running function a warm pod can hasten   pure
 update.py     gives that warm pod the new revision
```

The rules both halves share (which functions fit, the claim, the token) are in `wick_api.warm`; the claim itself is the
router's (`wick_router.kubernetes.warm_start`).
"""
