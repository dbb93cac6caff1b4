"""Experiments about what graph attention learns; they measure no speed."""
