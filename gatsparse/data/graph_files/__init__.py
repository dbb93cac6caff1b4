"""Graphs in files of tables, with node ids of any kind."""
