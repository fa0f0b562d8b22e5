"""What a host is asked to do: outbox, states, results."""
