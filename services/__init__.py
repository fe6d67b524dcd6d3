"""The four programs of the suite."""
