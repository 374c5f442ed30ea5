"""The gateway: drivers -> poll -> outbox -> uplink. Deployable alone; imports nothing of ours."""
