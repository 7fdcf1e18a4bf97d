"""What an operator asks for: the status of sources, a drain, a retry, a redrive."""
