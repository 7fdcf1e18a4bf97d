"""The steps for each kind of thing; one function, one thing."""
