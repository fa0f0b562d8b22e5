"""A small process beside the engine that answers names and relays published ports while the engine is away.

It holds second descriptors of the engine's sockets, so these live on when the engine dies and what comes in waits in
them; what it needs to know is told with them (``parcel.py``). While an engine is connected it only waits. When the
engine goes it forks a child that serves (``serving.py``, the engine's own resolver and relay); the next engine takes
the sockets over, starts a stand-in of its own code, and sends this one away.
"""
