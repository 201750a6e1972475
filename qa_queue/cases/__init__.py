"""The case format: model, loader, importers. Pure: no network, no browser."""
