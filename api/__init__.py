"""The HTTP face: REST, the live WebSocket, access control. What it serves arrives as arguments."""
