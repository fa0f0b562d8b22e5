"""Images: names, configurations, and how they come and go."""
