"""What agents report, turned into calls of services. The only way back up."""
