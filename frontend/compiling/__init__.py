"""What serves `irtool.compile`: tracing a call, what its program relies on, running it, and telling about it."""
