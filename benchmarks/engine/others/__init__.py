"""The programs that the worker is compared with: the same five steps by other means."""
