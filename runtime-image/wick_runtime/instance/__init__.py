"""The control process of an instance: its life cycle, its children, its control port. Never runs user code."""
