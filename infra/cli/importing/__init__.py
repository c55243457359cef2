"""Members and purchases from the files of another system, through the public GraphQL API."""
