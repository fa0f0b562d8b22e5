"""Questions across apps: health, ready, summary, search."""
