"""AWS: sessions, clients, queues, regions, and the translation of AWS errors to reasons."""
