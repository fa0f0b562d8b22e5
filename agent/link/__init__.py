"""The fleet side of a host: one connection to the control plane, orders carried out through the Docker API.

Never imports the engine: the engine is whatever answers on the socket.
"""
