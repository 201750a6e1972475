"""pytest suites: collect their tests, and run them in host processes that stay warm."""
