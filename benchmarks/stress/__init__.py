"""Stress tests, which measure no speed."""
