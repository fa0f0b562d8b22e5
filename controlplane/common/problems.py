"""Refusals as `application/problem+json` (RFC 9457): the only place of the REST side that knows HTTP statuses."""
