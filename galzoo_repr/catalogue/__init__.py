"""What a catalogue is: positions out of it, columns back on, provenance, formats."""
