"""GraphQL over HTTP: request, operation, executor, response."""
