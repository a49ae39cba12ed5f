"""One process each, in turns; those of other libraries run in an environment without ours."""
