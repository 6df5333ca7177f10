"""The service's program, as far as this exercise needs one: it is sent, and never run."""

print("digits")
