"""Delta debugging on IR: the edits that make a module smaller, and the search that tries them."""
