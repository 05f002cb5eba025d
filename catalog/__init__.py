"""What may be published: taxonomy, metadata quality rules, importers."""
