"""What a process reports about itself: events, log lines, metrics, health."""
