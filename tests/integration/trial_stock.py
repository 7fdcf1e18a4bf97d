"""A worker takes this with ``-I`` to speak to the broker as kombu does without our transport."""

import kombu.transport

kombu.transport.TRANSPORT_ALIASES["redis"] = "kombu.transport.redis:Transport"
