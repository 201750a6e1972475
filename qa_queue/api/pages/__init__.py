"""The service's own pages."""
