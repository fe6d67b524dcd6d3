"""Mathematics: read from LaTeX or Unicode into a tree, and said."""
