"""`huitou sandbox`: a chain whose time its operators move."""
