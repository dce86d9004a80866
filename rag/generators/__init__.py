"""What turns evidence into an answer."""
