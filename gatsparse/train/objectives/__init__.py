"""Tasks: the labels, loss, predictions and score of each."""
