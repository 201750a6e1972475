"""Writers of the case format."""
