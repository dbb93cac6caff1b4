"""Two claims made for graph attention, tested: that it is asymmetric, and that it resists noisy
neighbours.
"""
