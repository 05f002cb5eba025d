"""What clients see: Strawberry types, one file a noun, and the contract itself, `schema.graphql`."""
