"""`meshnode dev`: a whole mesh on one machine, to try things on. Uses the agent by its command alone, as an admin does.

The root imports nothing: the demo's services start from this package and are to be quick and small.
"""
