"""The case format: model, loader, schema, values, and the importers of other people's recordings. No I/O but `source`."""
