"""The servicers of members: translate, call one use case, translate."""
