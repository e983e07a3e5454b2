"""How measurements are kept on the device and read from it."""
