"""`meshnode dev`: a whole mesh on one machine, to try things on. Uses the agent by its command alone, as an admin does.

The root imports nothing: the demo's services start from this package and are to be quick and small.
"""

USUAL_NODES = 3
# 127.0.0.11 to .19: more would say nothing new, and a node takes some 65 MiB.
MAX_NODES = 9
