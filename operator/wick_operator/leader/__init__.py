"""What only the replica that leads may do: the Lease, the fenced writer, the work queue."""
