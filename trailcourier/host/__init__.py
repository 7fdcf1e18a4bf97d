"""Runs a whole fleet on one host: starts its processes, restarts them, stops them in order."""
