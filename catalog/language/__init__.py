"""The language of routes: one line or a document, and the one meaning both have. Reads no keys, knows no catalog."""
