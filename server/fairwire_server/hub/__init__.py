"""The hub: live sockets, fan-out, backpressure, presence (W9–W13)."""
