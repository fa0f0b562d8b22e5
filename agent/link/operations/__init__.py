"""What orders do, one module a noun: perform and recognise side by side."""
