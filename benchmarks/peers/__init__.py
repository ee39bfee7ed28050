"""The programs that are measured, a file each: how it is set up for a scenario, and why that is its best setting."""
