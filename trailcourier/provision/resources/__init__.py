"""The steps for each kind of AWS resource: one function builds one step."""
