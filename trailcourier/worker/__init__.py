"""One worker process: its role, its heartbeat in the ledger, its gauges."""
