"""Helpers that the three backends share."""
