"""Where a NaN was born: what a flight recorder keeps, and how it is run again."""
