"""What changes containers: create, verbs, what hosts observe, what ends of orders mean."""
