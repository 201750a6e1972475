"""The case format: model, loader, schema, values and importers. Only `source` touches files."""
