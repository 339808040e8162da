"""Objects of the cluster, reduced to what somebody reads. Pure."""
