"""The HTTP side: pages, health and API."""
