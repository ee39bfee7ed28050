"""What meshnode costs, beside its peers in the same run. Measures; asserts nothing, and no room may import it."""
