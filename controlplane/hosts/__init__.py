"""Hosts, their enrolment keys and their presence."""
