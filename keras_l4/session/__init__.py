"""One recording of one training: reads the recorder, writes the event file, informs the callbacks."""
