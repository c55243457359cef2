"""Members' part of MongoDB: the only room that knows its collections."""
