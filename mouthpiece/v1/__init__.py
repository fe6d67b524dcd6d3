"""Generated from protos/: see CONTRIBUTING.md, "Regenerate code"."""
