"""What the engine is measured beside: the same five steps by other means, each a program of its own."""
