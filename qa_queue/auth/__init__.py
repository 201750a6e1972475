"""API tokens, login links and sessions."""
