"""Domain values as documents, and back."""

from typing import Any

Document = dict[str, Any]
