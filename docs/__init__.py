"""Documentation: pages for Sphinx, and the tables and charts in them."""
