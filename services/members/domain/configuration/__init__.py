"""A chain's configuration as one document: brands, regions, partners, stores and menu, by the chain's own codes.

Ids, versions, stock and keys are not part of it: they are of one chain, and what it describes can be of many.
"""
