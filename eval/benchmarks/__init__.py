"""How fast the evaluation is."""
