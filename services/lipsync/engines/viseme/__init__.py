"""The embedded engine: makes any face talk on the CPU, by articulated warps of its own pixels."""
