"""Keys that are not in force: what they would come to. Compiles and asks; never writes anything."""
