"""What the browser of a run may reach."""
