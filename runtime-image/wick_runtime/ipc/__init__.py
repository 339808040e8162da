"""What the processes of an instance share: channels, shared memory, ports, exit statuses."""
