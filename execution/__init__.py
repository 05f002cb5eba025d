"""How a batch resolver becomes a field. Knows GraphQL, knows nothing of courses."""
