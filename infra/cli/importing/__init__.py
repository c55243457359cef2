"""Members, balances, purchases and refunds from the files of another system, through the public GraphQL API."""
