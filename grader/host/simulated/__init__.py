"""What is copied into LAB_HOME and run there, outside of this package."""
