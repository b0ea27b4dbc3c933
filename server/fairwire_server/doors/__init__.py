"""The doors: HTTP and WebSocket, thin shells around the operations."""
