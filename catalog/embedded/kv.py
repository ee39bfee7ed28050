"""KV: one key, a prefix, its names. What may hold a key is sessions' business."""

ROUTES = ()
