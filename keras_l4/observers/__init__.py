"""Observers receive each block of recorded steps."""
