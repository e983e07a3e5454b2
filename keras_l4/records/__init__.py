"""What a run recorded: blocks of steps, annotations and metadata. NumPy only."""
