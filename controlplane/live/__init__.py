"""Browsers' WebSockets: hints, logs, stats, terminals, orders. Reads; what changes something is an order elsewhere."""
