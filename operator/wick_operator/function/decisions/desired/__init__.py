"""Desired state: from a Function, the configuration and its source to manifests, by pure functions.

    Function + Config + files --render--> pod template --hash--> Revision --choose--> Choice --children--> manifests

No clock, network, environment or framework in here; equal inputs give equal bytes. Manifests are dicts made by
functions, so no text of a user can change their shape.
"""
