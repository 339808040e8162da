"""The reconcile of one Function: gather, decide, act."""
