"""What is asked of the graph."""

EXPORT = "{ chainConfiguration { document } }"
STORES = "{ stores { id code } }"

DIFF = """fragment Diff on ChainConfigurationDiff {
  counts { part added changed unchanged onlyInChain }
  lines { part code difference field before after }
}"""

COMPARE = (
    """query ($document: String!, $parts: [ConfigurationPart!]!) {
  chainConfigurationDiff(document: $document, parts: $parts) { ...Diff }
}
"""
    + DIFF
)

APPLY = (
    """mutation ($input: ApplyChainConfigurationInput!) {
  applyChainConfiguration(input: $input) { userErrors { code field message } repeatedCall diff { ...Diff } }
}
"""
    + DIFF
)
