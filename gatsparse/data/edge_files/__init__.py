"""Formats of files of edges."""
