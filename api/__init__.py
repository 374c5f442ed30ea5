"""FastAPI application: REST, live WebSocket, access control. Everything it serves arrives as arguments."""
